# The packages couplet uses: how they are found, and what is said when one is missing.
#
# The order is always the same: find_package; else, with COUPLET_FETCH=ON, a download at a pinned release; else one
# sentence that names every missing package and its Debian name. Installed beside coupletConfig.cmake, which uses the
# same functions.

# couplet_package(<name> TARGET <imported target> DEBIAN <package> [VERSION <v>] [OPTIONAL <what is lost without it>]
#                 [GIT <url> TAG <release> [HEADERS <folder>]] [COMPONENTS ...])
# HEADERS: the package is headers alone; nothing of its own build is run. Sets <name>_AVAILABLE for the caller.
function(couplet_package name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TARGET;DEBIAN;VERSION;OPTIONAL;GIT;TAG;HEADERS" "")
  set(${name}_AVAILABLE TRUE PARENT_SCOPE)
  if(TARGET ${arg_TARGET})
    return()
  endif()
  list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")  # FindStb.cmake
  find_package(${name} ${arg_VERSION} QUIET)
  if(TARGET ${arg_TARGET})
    return()
  endif()
  if(COUPLET_FETCH AND arg_GIT)
    couplet_fetch(${name} "${arg_TARGET}" "${arg_GIT}" "${arg_TAG}" "${arg_HEADERS}")
    return()
  endif()
  set(${name}_AVAILABLE FALSE PARENT_SCOPE)
  if(arg_OPTIONAL)
    message(STATUS "couplet: without ${name} (Debian package ${arg_DEBIAN}): ${arg_OPTIONAL}")
  else()
    set_property(GLOBAL APPEND PROPERTY COUPLET_MISSING "${name} (Debian package ${arg_DEBIAN})")
  endif()
endfunction()

# Downloads a package. FETCHCONTENT_SOURCE_DIR_<NAME> names a folder to use in place of the network.
function(couplet_fetch name target git tag headers)
  include(FetchContent)
  set(INSTALL_GTEST OFF)
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)  # the three settings above reach option() of older projects
  message(STATUS "couplet: fetching ${name} ${tag}")
  if(headers)
    FetchContent_Declare(${name} GIT_REPOSITORY ${git} GIT_TAG ${tag} SOURCE_SUBDIR couplet-uses-the-headers-alone)
    FetchContent_MakeAvailable(${name})
    string(TOLOWER ${name} lower)
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} INTERFACE "${${lower}_SOURCE_DIR}/${headers}")
  else()
    FetchContent_Declare(${name} GIT_REPOSITORY ${git} GIT_TAG ${tag})
    FetchContent_MakeAvailable(${name})
  endif()
endfunction()

# Stops with one sentence if packages are missing. `variable` given: puts the sentence there instead of stopping.
function(couplet_require_packages)
  get_property(missing GLOBAL PROPERTY COUPLET_MISSING)
  if(NOT missing)
    return()
  endif()
  list(REMOVE_DUPLICATES missing)
  list(JOIN missing ", " missing)
  set(sentence "couplet needs ${missing}: install what is missing or configure with -DCOUPLET_FETCH=ON to download it.")
  if(ARGC GREATER 0)
    set(${ARGV0} "${sentence}" PARENT_SCOPE)
  else()
    message(FATAL_ERROR "${sentence}")
  endif()
endfunction()

# What the headers themselves use: targets to link and macros to define.
function(couplet_library_packages links_variable definitions_variable)
  set(links Eigen3::Eigen nlohmann_json::nlohmann_json Stb::Stb Threads::Threads)
  set(definitions "")
  couplet_package(Threads TARGET Threads::Threads DEBIAN libc6-dev)
  couplet_package(Eigen3 TARGET Eigen3::Eigen DEBIAN libeigen3-dev VERSION 3.4
                  GIT https://gitlab.com/libeigen/eigen.git TAG 3.4.0 HEADERS .)
  couplet_package(nlohmann_json TARGET nlohmann_json::nlohmann_json DEBIAN nlohmann-json3-dev VERSION 3.10
                  GIT https://github.com/nlohmann/json.git TAG v3.11.3 HEADERS include)
  couplet_package(Stb TARGET Stb::Stb DEBIAN libstb-dev  # stb has no releases: the commit that Debian 12 packages
                  GIT https://github.com/nothings/stb.git TAG 8b5f1f37b5b75829fc72d38e7b5d4bcbf8a26d55 HEADERS .)
  if(COUPLET_OPENMP)
    couplet_package(OpenMP TARGET OpenMP::OpenMP_CXX DEBIAN "libgomp1 or, for clang, libomp-dev"
                    OPTIONAL "the library runs on one thread")
    if(OpenMP_AVAILABLE)
      list(APPEND links OpenMP::OpenMP_CXX)
    endif()
  endif()
  if(COUPLET_LIBJPEG)
    couplet_package(JPEG TARGET JPEG::JPEG DEBIAN libjpeg62-turbo-dev OPTIONAL "JPEG files are decoded by stb")
    if(JPEG_AVAILABLE)
      list(APPEND links JPEG::JPEG)
      list(APPEND definitions COUPLET_HAVE_LIBJPEG=1)
    endif()
  endif()
  if(COUPLET_ZLIB)
    couplet_package(ZLIB TARGET ZLIB::ZLIB DEBIAN zlib1g-dev OPTIONAL "gzipped vocabularies are refused")
    if(ZLIB_AVAILABLE)
      list(APPEND links ZLIB::ZLIB)
      list(APPEND definitions COUPLET_HAVE_ZLIB=1)
    endif()
  endif()
  set(${links_variable} "${links}" PARENT_SCOPE)
  set(${definitions_variable} "${definitions}" PARENT_SCOPE)
endfunction()

# couplet::mpi: couplet and MPI, for programs that include couplet/distributed/mpi_communicator.hpp.
function(couplet_mpi_target)
  couplet_package(MPI TARGET MPI::MPI_CXX DEBIAN libopenmpi-dev OPTIONAL "programs train in one process")
  if(MPI_AVAILABLE AND NOT TARGET couplet_mpi)
    add_library(couplet_mpi INTERFACE)
    add_library(couplet::mpi ALIAS couplet_mpi)
    target_link_libraries(couplet_mpi INTERFACE couplet::couplet MPI::MPI_CXX)
    target_compile_definitions(couplet_mpi INTERFACE COUPLET_WITH_MPI=1)
  endif()
endfunction()

# What only our own programs use.
function(couplet_test_packages)
  couplet_package(GTest TARGET GTest::gtest DEBIAN libgtest-dev
                  GIT https://github.com/google/googletest.git TAG v1.14.0)
endfunction()
function(couplet_benchmark_packages)
  couplet_package(benchmark TARGET benchmark::benchmark DEBIAN libbenchmark-dev
                  GIT https://github.com/google/benchmark.git TAG v1.8.3)
endfunction()
function(couplet_example_packages)
  couplet_package(CLI11 TARGET CLI11::CLI11 DEBIAN libcli11-dev
                  GIT https://github.com/CLIUtils/CLI11.git TAG v2.3.2 HEADERS include)
endfunction()
