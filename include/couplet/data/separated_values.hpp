#pragma once
/// Text tables with one header line: CSV and TSV as pandas and spreadsheets write them (RFC 4180).
///
/// A field that begins with a double quote runs to the closing one, may hold separators and line ends, and writes a
/// quote as two. Lines end with LF or CRLF; empty ones are skipped; a UTF-8 byte order mark is dropped.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::data {

class SeparatedValues {
 public:
  /// `source`: the file's path, for errors; both must outlive the reader.
  SeparatedValues(std::string_view text, const std::string& source, char separator)
      : text_(text), source_(source), separator_(separator) {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") at_ = 3;
  }

  /// Reads the next record into `fields`; false at the end. file_error naming the line: a quote is not closed, or is
  /// closed in the middle of a field.
  bool next(std::vector<std::string>& fields) {
    while (at_ < text_.size() && end_of_line()) skip_line_end();
    if (at_ >= text_.size()) return false;
    record_line_ = line_;
    std::size_t count = 0;
    for (bool more = true; more; ++count) {
      if (fields.size() <= count) fields.emplace_back();
      read_field(fields[count]);
      more = at_ < text_.size() && text_[at_] == separator_;
      if (more) ++at_;
    }
    fields.resize(count);
    if (at_ < text_.size()) skip_line_end();
    return true;
  }

  /// The line, counted from 1, on which the last record began.
  [[nodiscard]] std::size_t line() const noexcept { return record_line_; }

  [[noreturn, gnu::cold]] void fail(const std::string& message) const {
    throw file_error(source_, "line " + std::to_string(record_line_) + ": " + message);
  }

 private:
  [[nodiscard]] bool end_of_line() const {
    return text_[at_] == '\n' || (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
  }
  void skip_line_end() {
    at_ += text_[at_] == '\r' ? 2 : 1;
    ++line_;
  }

  void read_field(std::string& field) {
    field.clear();
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted(field);
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != separator_ && !end_of_line()) ++at_;
    field = text_.substr(begin, at_ - begin);
  }

  void read_quoted(std::string& field) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      field += text_[at_];
    }
    if (at_ >= text_.size()) fail("a quoted field is not closed");
    ++at_;
    if (at_ < text_.size() && text_[at_] != separator_ && !end_of_line()) {
      fail("expected the end of the field behind its closing quote");
    }
  }

  std::string_view text_;
  const std::string& source_;
  char separator_;
  std::size_t at_ = 0, line_ = 1, record_line_ = 1;
};

}  // namespace couplet::inline COUPLET_ABI::data
