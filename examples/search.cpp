// Finds images by words.
//
//   search --model DIR --index photos.safetensors build photos/
//   search --model DIR --index photos.safetensors query "a dog on a beach" --html result.html
#include <map>

#include "couplet/report/html.hpp"
#include "program.hpp"

namespace {

using namespace couplet;

struct Options {
  program::Common common;
  std::string model, index, html;
  std::vector<std::string> images, queries;
  Index top = 10;
};

int build(const Options& o) {
  const Pretrained<float> clip = o.common.load(o.model);
  const auto pictures = program::open_pictures(o.images);
  program::ProgressBar bar("images");
  train::ImageEmbeddings images = train::embed_images(clip, *pictures, Normalize::yes, o.common.decode_options(clip),
                                                      [&](Index done, Index total) { bar.show(done, total); });
  bar.clear();
  std::vector<std::string> items;
  for (const Index i : images.indices) items.push_back(pictures->annotation(i).source);
  program::report_unreadable(images.unreadable);
  if (items.empty()) throw std::invalid_argument("no picture could be read");
  const search::EmbeddingIndex index(std::move(images.embeds), std::move(items));
  index.save(o.index);
  std::cout << o.index << ": " << index.size() << " images, " << index.embed_dim() << " components each\n";
  return 0;
}

/// Pictures by the name under which the index knows them: a file, or a member of a shard ("a.tar: 001.png").
class Pictures {
 public:
  explicit Pictures(const image::DecodeOptions& decode) : decode_(decode) {}

  /// nullopt: the picture has gone or cannot be read any more.
  std::optional<image::Image> find(const std::string& item) {
    try {
      const std::size_t colon = item.find(".tar: ");
      if (colon == std::string::npos) return image::decode_file(item, decode_);
      const Shard& shard = open(item.substr(0, colon + 4));
      const auto at = shard.places.find(item);
      if (at != shard.places.end()) return data::decode_picture(shard.data->sample(at->second));
    } catch (const file_error&) {
    }
    return std::nullopt;
  }

 private:
  struct Shard {
    std::unique_ptr<const data::Dataset> data;
    std::map<std::string, Index> places;
  };

  const Shard& open(const std::string& path) {
    Shard& shard = shards_[path];
    if (shard.data) return shard;
    shard.data = data::open_dataset(path);
    for (Index i = 0; i < shard.data->size(); ++i) shard.places.emplace(shard.data->annotation(i).source, i);
    return shard;
  }

  image::DecodeOptions decode_;
  std::map<std::string, Shard> shards_;
};

void print_json(const std::string& query, const search::EmbeddingIndex& index, const std::vector<search::Hit>& hits) {
  io::JsonWriter json(0);
  json.begin_object().key("query").value(query).key("results").begin_array();
  for (const search::Hit& hit : hits) {
    json.begin_object().key("image").value(index.items()[static_cast<std::size_t>(hit.item)]);
    json.key("score").value(hit.score).end_object();
  }
  json.end_array().end_object();
  std::cout << json.str() << '\n';
}

void print_table(const std::string& query, const search::EmbeddingIndex& index, const std::vector<search::Hit>& hits) {
  std::cout << query << '\n';
  for (const search::Hit& hit : hits) {
    std::cout << program::format("  %7.4f  ", double{hit.score}) << index.items()[static_cast<std::size_t>(hit.item)]
              << '\n';
  }
}

int query(const Options& o) {
  const Pretrained<float> clip = o.common.load(o.model);
  const auto index = search::EmbeddingIndex::load(o.index);
  if (index.embed_dim() != clip.embed_dim()) {
    throw file_error(o.index, "has vectors of " + std::to_string(index.embed_dim()) + " components, the model makes " +
                                  std::to_string(clip.embed_dim()));
  }
  report::HtmlReport page("Search", std::to_string(index.size()) + " images in " + o.index);
  Pictures pictures(o.common.decode_options(clip));
  const Tensor<float, 2> texts = clip.encode_text(o.queries);
  for (std::size_t q = 0; q < o.queries.size(); ++q) {
    const float* text = &texts(static_cast<Index>(q), 0);
    const auto hits = index.search({text, static_cast<std::size_t>(clip.embed_dim())}, o.top);
    o.common.json ? print_json(o.queries[q], index, hits) : print_table(o.queries[q], index, hits);
    if (o.html.empty()) continue;
    std::vector<report::Card> cards;
    for (const search::Hit& hit : hits) {
      const std::string& item = index.items()[static_cast<std::size_t>(hit.item)];
      report::Card card;
      card.caption = item.substr(item.find_last_of("/ ") + 1);
      if (auto picture = pictures.find(item)) card.picture = std::move(*picture);
      card.bars = {{"similarity", std::max(0.0, double{hit.score}), program::format("%.3f", double{hit.score})}};
      cards.push_back(std::move(card));
    }
    page.section(o.queries[q]).cards(cards);
  }
  if (!o.html.empty()) {
    page.save(o.html);
    if (!o.common.json) std::cout << "report: " << o.html << '\n';
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  program::App app("Finds images by words.", "search");
  app.footer(
      "Examples:\n"
      "  search --model DIR --index photos.safetensors build photos/ more/*.jpg\n"
      "  search --model DIR --index photos.safetensors query \"a dog on a beach\" \"a red car\" --top 20 --html "
      "out.html");
  app.add_option("--model", o.model, "model directory")->required();
  app.add_option("--index", o.index, "the index, a safetensors file")->required();
  o.common.add_to(app);
  o.common.add_exif(app);
  app.require_subcommand(1);
  auto* building = app.add_subcommand("build", "embed images and write the index");
  building->add_option("images", o.images, "images, folders or shards")->required();
  auto* asking = app.add_subcommand("query", "find the images that fit the words best");
  asking->add_option("words", o.queries, "one or more descriptions")->required();
  asking->add_option("--top", o.top, "images to show")->check(CLI::Range(1, 100000));
  asking->add_option("--html", o.html, "write a page with the pictures");
  o.common.add_json(*asking);
  return program::run(app, argc, argv, o.common, [&] { return building->parsed() ? build(o) : query(o); });
}
