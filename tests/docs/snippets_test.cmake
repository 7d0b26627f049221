# Proves what snippets.cmake takes from a page: cmake -DPROJECT_SOURCE_DIR=... -DWORK=<folder> -P snippets_test.cmake
cmake_minimum_required(VERSION 3.22)
include("${CMAKE_CURRENT_LIST_DIR}/snippets.cmake")
file(REMOVE_RECURSE "${WORK}")
set(PROJECT_SOURCE_DIR "${WORK}")
file(WRITE "${WORK}/page.md" [==[
# Title
```sh
make not compiled
```
```cpp
#include <string>
int main() { int a[2] = {1, 2}; return a[0] + a[1] == 3 ? 0 : std::string("\n;@x@").size() > 9; }
```
<!-- snippet: body
int hidden = 1;
-->
```cpp
int first = hidden;

```
Prose.
<!-- snippet: continue -->
```cpp
int second = first;
```
<!-- snippet: file -->
```cpp
struct Declared {};
```
```cpp
int forgotten = 0;
```
]==])
couplet_doc_snippets(programs bodies declarations "${WORK}" "${WORK}/page.md")

function(expect what actual expected)
  if(NOT "${actual}" STREQUAL "${expected}")
    message(FATAL_ERROR "${what}:\nexpected\n${expected}\nfound\n${actual}")
  endif()
endfunction()
function(expect_file name expected)
  file(READ "${WORK}/${name}" actual)
  string(FIND "${actual}" "${expected}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${name}:\nexpected to find\n${expected}\nin\n${actual}")
  endif()
endfunction()

expect("programs" "${programs}" "${WORK}/page_line_5.cpp")
expect("bodies" "${bodies}" "${WORK}/page_line_12.cpp;${WORK}/page_line_25.cpp")
expect("declarations" "${declarations}" "${WORK}/page_line_22.cpp")
expect_file(page_line_5.cpp [==[
#line 6 "page.md"
#include <string>
int main() { int a[2] = {1, 2}; return a[0] + a[1] == 3 ? 0 : std::string("\n;@x@").size() > 9; }
]==])
expect_file(page_line_12.cpp [==[
void page_line_12() {
#line 10 "page.md"
int hidden = 1;
#line 13 "page.md"
int first = hidden;

#line 19 "page.md"
int second = first;
}
]==])
expect_file(page_line_12.cpp "#include \"couplet/couplet.hpp\"\n")
expect_file(page_line_22.cpp "#line 23 \"page.md\"\nstruct Declared {};\n")
expect_file(page_line_25.cpp "#error \"page.md:25:")
