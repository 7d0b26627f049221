"""Writes unicode_tables.hpp, normalization_tables.hpp, python_tables.hpp and html_entities.hpp of include/couplet/tokenizers.

python make_unicode_tables.py CHARCLASS.json OUT_FOLDER
CHARCLASS.json (golden data) holds what the reference tokenizers call a letter, a number and a lower case; decompositions
and combining classes come from this Python's unicodedata. Run with Python 3.11 (Unicode 14) to get the same files again.
"""
import html.entities
import json
import sys
import unicodedata
from pathlib import Path

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# What the NFC of the tokenizers library, whose tables are those of Unicode 9, leaves alone (measured, 0.23.3, on all pairs of
# marks and all decompositions; there is no other difference to Unicode 14).
AFTER_UNICODE_9 = [
    (0x7FD, 0x7FD), (0x898, 0x89F), (0x8CA, 0x8D3), (0x9FE, 0x9FE), (0xC3C, 0xC3C), (0xD3B, 0xD3C), (0xEBA, 0xEBA), (0x1715, 0x1715),
    (0x1ABF, 0x1ACE), (0x1DF6, 0x1DFA), (0xA82C, 0xA82C), (0x10D24, 0x10D27), (0x10EAB, 0x10EAC), (0x10F46, 0x10F50), (0x10F82, 0x10F85),
    (0x11070, 0x11070), (0x1133B, 0x1133B), (0x1145E, 0x1145E), (0x11839, 0x1183A), (0x11938, 0x11938), (0x1193D, 0x1193E),
    (0x11943, 0x11943), (0x119E0, 0x119E0), (0x11A34, 0x11A34), (0x11A47, 0x11A47), (0x11A99, 0x11A99), (0x11D42, 0x11D42),
    (0x11D44, 0x11D45), (0x11D97, 0x11D97), (0x16FF0, 0x16FF1), (0x1E130, 0x1E136), (0x1E2AE, 0x1E2AE), (0x1E2EC, 0x1E2EF)]
HANGUL = range(0xAC00, 0xD7A4)


def lines(items, width=118):
    """Items joined by commas, filled to the column limit."""
    out, row = [], " "
    for item in items:
        if len(row) + len(item) + 2 > width:
            out.append(row)
            row = " "
        row += f" {item},"
    return "\n".join([*out, row])


def edges(ranges):
    """Start of each range and the first point after it: a point is inside when an odd number of edges is not above it."""
    return [f"0x{x:x}" for first, last in ranges for x in (first, last + 1)]


def less(ranges, holes):
    gone = {c for first, last in holes for c in range(first, last + 1)}
    kept = [c for first, last in ranges for c in range(first, last + 1) if c not in gone]
    out = []
    for c in kept:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def runs(pairs):
    """[code point, lower] as (first, last, stride, difference), stride 1 or 2."""
    out = []
    for c, low in pairs:
        if out:
            first, last, stride, delta = out[-1]
            step = c - last
            if low - c == delta and (step == stride or (first == last and step <= 2)):
                out[-1] = (first, c, step, delta)
                continue
        out.append((c, c, 1, low - c))
    return out


def single_runs(codes):
    """Consecutive code points as {first, count}."""
    out = []
    for c in codes:
        if out and c == out[-1][0] + out[-1][1]:
            out[-1][1] += 1
        else:
            out.append([c, 1])
    return [f"{{0x{first:x},{count}}}" for first, count in out]


def array(comment, declaration, items):
    return f"/// {comment}\ninline constexpr {declaration} = {{\n{lines(items)}\n}};\n"


def header(text, includes, body):
    room = "namespace couplet::inline COUPLET_ABI::tokenizers::detail {"
    return (f"#pragma once\n{text}\n{includes}\n#include \"couplet/config.hpp\"\n\n{room}\n\n// clang-format off\n\n" + "\n".join(body) +
            "\n// clang-format on\n\n}  // namespace couplet::inline COUPLET_ABI::tokenizers::detail\n")


def unicode_tables(classes):
    letters, numbers, lower = classes["letter"], classes["number"], classes["lower"]
    rust = {c: s for c, s in lower["str_lower"]} | {c: s for c, _, s in lower["str_lower_vs_tokenizers"]}
    pairs = [(c, ord(s)) for c, s in sorted(rust.items()) if len(s) == 1 and ord(s) != c]
    assert [c for c, s in rust.items() if len(s) != 1] == [0x130]
    text = '''/// Letters, numbers and lower case of all code points, as the tokenizers of Hugging Face see them: \\p{L} and \\p{N} of
/// Unicode 16, lower case of Unicode 17 (measured on tokenizers 0.23.3).
/// Written by tests/tokenizers/make_unicode_tables.py.'''
    struct = "/// Code points first, first + stride, ..., last become themselves + difference.\nstruct LowerRun {\n  std::int32_t first, last, stride, difference;\n};\n"
    return header(text, "#include <cstdint>\n", [
        array("\\p{L}: a sorted list of edges; a code point is in the class when an odd number of edges is <= it.", "std::uint32_t letter_edges[]", edges(less(letters["regex"], letters["regex_minus_tokenizers"]))),
        array("\\p{N}, likewise.", "std::uint32_t number_edges[]", edges(less(numbers["regex"], numbers["regex_minus_tokenizers"]))),
        struct,
        array("All but U+0130, which becomes two code points.", "LowerRun lower_runs[]", [f"{{0x{a:x},0x{b:x},{s},{d}}}" for a, b, s, d in runs(pairs)])])


def normalization_tables():
    singles, doubles, excluded, classes = [], [], [], []
    for c in POINTS:
        if c in HANGUL:
            continue
        d = unicodedata.decomposition(chr(c))
        if d and not d.startswith("<"):
            parts = [int(x, 16) for x in d.split()]
            (singles if len(parts) == 1 else doubles).append((c, *parts))
            if len(parts) == 2 and unicodedata.normalize("NFC", chr(c)) != chr(c):
                excluded.append(c)
        k = unicodedata.combining(chr(c))
        if k:
            if classes and classes[-1][1] == c - 1 and classes[-1][2] == k:
                classes[-1][1] = c
            else:
                classes.append([c, c, k])
    text = '''/// Canonical decompositions and combining classes of Unicode 14 (without Hangul syllables, which follow by arithmetic).
/// Written by tests/tokenizers/make_unicode_tables.py.'''
    return header(text, "#include <cstdint>\n", [
        "struct SingleRun {\n  std::uint32_t first, count;\n};\nstruct PairDecomposition {\n  std::uint32_t code, first, second;\n};\n"
        "struct CombiningRange {\n  std::uint32_t first, last, combining_class;\n};\n",
        array("Neighbours that become one code point each: the targets of all runs follow one another in single_targets.", "SingleRun single_runs[]",
              single_runs([c for c, _ in singles])),
        array("Sum of counts of single_runs", "std::uint32_t single_targets[]", [f"0x{to:x}" for _, to in singles]),
        array("code -> first second", "PairDecomposition pair_decompositions[]", [f"{{0x{a:x},0x{b:x},0x{c:x}}}" for a, b, c in doubles]),
        array("Pairs that are never composed again.", "std::uint32_t composition_exclusions[]", [f"0x{c:x}" for c in excluded]),
        array("Canonical_Combining_Class where it is not 0.", "CombiningRange combining_ranges[]", [f"{{0x{a:x},0x{b:x},{k}}}" for a, b, k in classes]),
        array("Edges (see unicode_tables.hpp) of what Unicode 9 had no class, decomposition or composition for.",
              "std::uint32_t after_unicode_9_edges[]", edges(AFTER_UNICODE_9))])


def python_tables(classes):
    lower, flat = classes["lower"], lambda ranges: [tuple(r) for r in ranges]
    young = [c for c, python, _ in lower["str_lower_vs_tokenizers"]]
    text = '''/// Where Python 3.11 (Unicode 14 in str.lower) and its module regex (Unicode 17) differ from unicode_tables.hpp, and
/// what the rule of the final sigma needs. Edges as there. Written by tests/tokenizers/make_unicode_tables.py.'''
    item = lambda name, ranges, comment: array(comment, f"std::uint32_t {name}[]", edges(flat(ranges)))
    return header(text, "#include <cstdint>\n", [
        item("regex_letter_edges", classes["letter"]["regex_minus_tokenizers"], "Letters of regex that unicode_tables.hpp lacks."),
        item("regex_number_edges", classes["number"]["regex_minus_tokenizers"], "Numbers of regex that unicode_tables.hpp lacks."),
        item("python_unlowered_edges", [(c, c) for c in young], "Capitals that Python 3.11 does not lower."),
        item("cased_edges", lower["cased_not_ignorable"], "Cased and not case-ignorable."),
        item("case_ignorable_edges", lower["case_ignorable"], "Case_Ignorable: looked past by the final sigma.")])


def html_entities():
    """name; (or name? where the semicolon may be missing) and its code points in hexadecimal, sorted by name."""
    table = html.entities.html5
    entries = []
    for name in sorted({k.rstrip(";") for k in table}):
        codes = "+".join(f"{ord(c):x}" for c in table[name + ";"])
        entries.append(name + ("?" if name in table else ";") + codes)
    out, row = [], ""
    for entry in entries:
        if len(row) + len(entry) + 6 > 118:
            out.append(row)
            row = ""
        row += entry + " "
    body = "\n".join(f'    "{row}"' for row in [*out, row])
    text = '''/// The named character references of HTML 5 (html.spec.whatwg.org/entities.json): "name;" or, where the semicolon
/// may be missing, "name?", then the code points in hexadecimal. Written by tests/tokenizers/make_unicode_tables.py.'''
    return header(text, "", [f"inline constexpr char html_entities[] =\n{body};\n"]).replace("references.py.\n\n\n", "references.py.\n\n")


def main():
    classes, out = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    (out / "unicode_tables.hpp").write_text(unicode_tables(classes), encoding="ascii")
    (out / "normalization_tables.hpp").write_text(normalization_tables(), encoding="ascii")
    (out / "python_tables.hpp").write_text(python_tables(classes), encoding="ascii")
    (out / "html_entities.hpp").write_text(html_entities(), encoding="ascii")


if __name__ == "__main__":
    main()
