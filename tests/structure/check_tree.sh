#!/bin/sh
# Checks a source tree against rules.txt: check_tree.sh <tree> <rules>
# Prints one line per offence and exits with 1 if there is any. Needs a POSIX shell, find, sort and awk.
set -eu

rules=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$1"

folders=
for folder in include tests benchmarks examples; do
  if [ -d "$folder" ]; then folders="$folders $folder"; fi
done

# shellcheck disable=SC2086  # plain names
find $folders -type f \( -name '*.hpp' -o -name '*.inl' -o -name '*.cpp' \) | LC_ALL=C sort |
  LC_ALL=C awk -v rules="$rules" '
function offence(text) { print text; offences++ }
function words_after_colon(line) { sub(/^[^:]*:/, "", line); return line }

function read_rules(   line, n, part, i, rooms, banned, b, m) {
  while ((status = (getline line < rules)) > 0) {
    if (line ~ /^[ \t]*(#|$)/) continue
    n = split(line, part, /[ \t]+/)
    if (part[1] == "door") {
      sub(/:$/, "", part[2])
      doors[part[2]] = 1
      n = split(words_after_colon(line), rooms, /[ \t]+/)
      for (i = 1; i <= n; i++) if (rooms[i] != "") allowed[part[2] " " rooms[i]] = 1
    } else if (part[1] == "open") {
      for (i = 2; i <= n; i++) open[part[i]] = 1
    } else if (part[1] == "forbid") {
      m = split(words_after_colon(line), banned, /[ \t]+/)
      sub(/:.*$/, "", line)
      n = split(line, rooms, /[ \t]+/)
      for (i = 2; i <= n; i++) for (b = 1; b <= m; b++) if (banned[b] != "") forbidden[rooms[i] " " banned[b]] = 1
    } else if (part[1] == "limit") {
      limit = part[2] + 0
    } else if (part[1] == "long" || part[1] == "untested") {
      if (n < 5) offence(rules ": give a reason: " line)
      if (part[1] == "long") long[part[2]] = 1
      else untested[++exceptions] = part[2]
    } else {
      offence(rules ": unknown rule: " line)
    }
  }
  if (status < 0) offence(rules ": cannot be read")
}

# Does `pattern`, in which * stands for any characters, match the whole of `text`?
function matches(pattern, text,   star) {
  star = index(pattern, "*")
  if (!star) return pattern == text
  return substr(text, 1, star - 1) == substr(pattern, 1, star - 1)
}
function room_of(header,   slash) { slash = index(header, "/"); return slash ? substr(header, 1, slash - 1) : header }
function may_include(header, target,   room, other) {
  room = room_of(header)
  other = room_of(target)
  if ((target in open) || (room == other && index(target, "/"))) return 1
  if (((header " *") in allowed) || ((room " " other) in allowed) || ((room " " target) in allowed)) return 1
  return ((header " " other) in allowed) || ((header " " target) in allowed)
}

function check_include(file, header, line, number,   target, quoted) {
  target = line
  quoted = target ~ /^[ \t]*#[ \t]*include[ \t]*"/
  sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", target)
  sub(/[>"].*$/, "", target)
  if (file ~ /\.inl$/) offence(file ":" number ": an .inl file includes nothing: " target)
  if (target ~ /^couplet\//) {
    sub(/^couplet\//, "", target)
    if (!quoted) offence(file ":" number ": write #include \"couplet/" target "\" with quotes")
    if (!(("include/couplet/" target) in files)) offence(file ":" number ": no such header: couplet/" target)
    if (header != "" && !may_include(header, target))
      offence(file ":" number ": a door that opens the wrong way: " room_of(header) " may not include couplet/" target)
  } else if (header != "") {
    if (quoted) offence(file ":" number ": write the whole path, \"couplet/room/file.hpp\": " target)
    if ((room_of(header) " " target) in forbidden)
      offence(file ":" number ": <" target "> is too heavy for " room_of(header))
    if (target == "cassert" || target == "assert.h") offence(file ":" number ": checks are ifs that throw, not asserts")
  }
}

function check_code(file, header, line, number) {
  if (header ~ /^simd\// && line ~ /^[ \t]*#[ \t]*pragma[ \t]+omp/)
    offence(file ":" number ": no #pragma omp in simd: threads belong to ops")
  if (line ~ /using namespace std/) offence(file ":" number ": using namespace std in a header")
  if (line ~ /(^|[^A-Za-z0-9_.>])(abort|exit|_Exit|quick_exit|assert|printf|fprintf|puts|fputs)[ \t]*\(/ ||
      line ~ /std::(cout|cerr|clog)/)
    offence(file ":" number ": the library never prints, aborts or exits: " line)
}

function check_file(file,   header, line, number, code, once) {
  header = ""
  if (file ~ /^include\/couplet\//) header = substr(file, length("include/couplet/") + 1)
  if (header != "" && !(room_of(header) in doors) && !(header in doors) && !(header in open))
    offence(file ": " room_of(header) " is not in the rules: add a door")
  number = 0
  while ((getline line < file) > 0) {
    number++
    code = line
    sub(/[ \t]*\/\/.*$/, "", code)
    if (code ~ /^[ \t]*#[ \t]*pragma[ \t]+once/) once = 1
    if (code ~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) check_include(file, header, code, number)
    if (header != "") check_code(file, header, code, number)
  }
  close(file)
  if (number > limit && !(file in long)) offence(file ": " number " lines, more than " limit)
  if (file ~ /\.hpp$/ && !once) offence(file ": no #pragma once")
  if (header ~ /\.hpp$/) check_tested(file, header)
}

function check_tested(file, header,   base, flat, i, found, excused) {
  base = header
  sub(/\.hpp$/, "", base)
  flat = base
  sub(/^.*\//, "", flat)
  flat = room_of(header) "/" flat
  found = (("tests/" base "_test.cpp") in files) || (("tests/" flat "_test.cpp") in files)
  for (i = 1; i <= exceptions; i++) if (matches(untested[i], header)) excused = untested[i]
  if (!found && excused == "") offence(file ": no test: expected tests/" base "_test.cpp")
  if (found && excused == header) offence(file ": has a test, so drop it from the exceptions")
}

BEGIN { limit = 500; read_rules() }
{ files[$0] = 1; order[++count] = $0 }
END {
  for (i = 1; i <= count; i++) check_file(order[i])
  if (count == 0) offence("no source files found")
  if (offences) { print offences " offences against tests/structure/rules.txt"; exit 1 }
  print count " files keep the rules of the tree"
}'
