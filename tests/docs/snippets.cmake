# Every ```cpp block of README.md and docs/*.md is compiled by the tests. What a block is, is said before its fence:
#
#   (nothing)                  a complete program: it contains `int main`
#   <!-- snippet: body -->     statements: wrapped in a function, with couplet/couplet.hpp, and the usual standard
#                              headers (write couplet:: as a reader would)
#   <!-- snippet: body         the same, with lines that the reader does not see put before the block:
#   auto model = ...;          what the statements use
#   -->
#   <!-- snippet: continue --> statements that go on in the function of the block before
#   <!-- snippet: file -->     declarations, outside any function: a file of its own
#
# A cpp block that is none of these does not compile (#error), so nothing is left out by mistake. Other languages
# (```sh, ```cmake, ```text) are not compiled. Errors name the line of the document, by #line.

# couplet_doc_snippets(<programs> <bodies> <declarations> <output folder> <document>...): writes sources, lists them in three
# variables.
function(couplet_doc_snippets programs_variable bodies_variable declarations_variable output)
  set(programs "")
  set(bodies "")
  set(declarations "")
  foreach(document IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${document}")
    couplet_document_snippets("${document}" "${output}")
  endforeach()
  set(${programs_variable} "${programs}" PARENT_SCOPE)
  set(${bodies_variable} "${bodies}" PARENT_SCOPE)
  set(${declarations_variable} "${declarations}" PARENT_SCOPE)
endfunction()

# Walks one document line by line. Works on the three lists of its caller.
macro(couplet_document_snippets document output)
  file(READ "${document}" text)
  # Brackets, semicolons and backslashes have meanings in CMake lists: other characters stand for them meanwhile.
  string(ASCII 1 open)
  string(ASCII 2 close)
  string(ASCII 3 semicolon)
  string(ASCII 4 backslash)
  string(REPLACE "\\" "${backslash}" text "${text}")
  string(REPLACE "[" "${open}" text "${text}")
  string(REPLACE "]" "${close}" text "${text}")
  string(REPLACE ";" "${semicolon}" text "${text}")
  string(REPLACE "\n" ";" lines "${text}")

  get_filename_component(name "${document}" NAME_WE)
  file(RELATIVE_PATH shown "${PROJECT_SOURCE_DIR}" "${document}")
  set(number 0)
  set(state prose)  # prose, hidden (inside a marker of several lines), cpp, other (another language)
  set(kind program)
  set(unit "")  # the file of body blocks being written
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(state STREQUAL "hidden")
      if(line MATCHES "-->")
        set(state prose)
      else()
        string(APPEND hidden "${line}\n")
      endif()
    elseif(state STREQUAL "cpp")
      if(line MATCHES "^ *```")
        set(state prose)
        couplet_write_snippet()
        set(kind program)
        set(hidden "")
      else()
        string(APPEND code "${line}\n")
      endif()
    elseif(state STREQUAL "other")
      if(line MATCHES "^ *```")
        set(state prose)
      endif()
    elseif(line MATCHES "^<!-- snippet: ([a-z]+)")
      set(kind ${CMAKE_MATCH_1})
      set(hidden "")
      if(NOT line MATCHES "-->")
        set(state hidden)
        math(EXPR next "${number} + 1")
        set(hidden "#line ${next} \"${shown}\"\n")
      endif()
    elseif(line MATCHES "^ *```(cpp|c\\+\\+)")
      set(state cpp)
      math(EXPR next "${number} + 1")
      set(code "#line ${next} \"${shown}\"\n")
      set(first ${number})
    elseif(line MATCHES "^ *```")
      set(state other)
    endif()
  endforeach()
endmacro()

# Writes the block in `code`, of `kind`, that begins at line `first`.
macro(couplet_write_snippet)
  string(REPLACE "${open}" "[" code "${hidden}${code}")
  string(REPLACE "${close}" "]" code "${code}")
  string(REPLACE "${semicolon}" ";" code "${code}")
  string(REPLACE "${backslash}" "\\" code "${code}")
  set(source "${output}/${name}_line_${first}.cpp")
  set(headers "#include <cstdio>\n#include <fstream>\n#include <iostream>\n#include <string>\n#include <vector>\n")
  string(PREPEND headers "#include \"couplet/couplet.hpp\"\n")
  if(kind STREQUAL "program" AND code MATCHES "int main")
    file(CONFIGURE OUTPUT "${source}" CONTENT "@code@" @ONLY)
    list(APPEND programs "${source}")
  elseif(kind STREQUAL "file")
    file(CONFIGURE OUTPUT "${source}" CONTENT "@code@" @ONLY)
    list(APPEND declarations "${source}")
  elseif(kind STREQUAL "body")
    set(unit "${source}")
    set(body "${code}")
    set(function "${name}_line_${first}")
    file(CONFIGURE OUTPUT "${unit}" CONTENT "@headers@void @function@();\nvoid @function@() {\n@body@}\n" @ONLY)
    list(APPEND bodies "${unit}")
  elseif(kind STREQUAL "continue" AND unit)
    string(APPEND body "${code}")
    file(CONFIGURE OUTPUT "${unit}" CONTENT "@headers@void @function@();\nvoid @function@() {\n@body@}\n" @ONLY)
  else()
    file(WRITE "${source}"
         "#error \"${shown}:${first}: a cpp block has an int main or a marker (tests/docs/snippets.cmake)\"\n")
    list(APPEND bodies "${source}")
  endif()
endmacro()
