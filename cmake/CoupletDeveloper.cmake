# Settings of a clone (never of a project that uses couplet): build type, compiler cache, sanitizers.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)

option(COUPLET_WERROR "Warnings in our own programs are errors" ON)
set(COUPLET_SANITIZE "" CACHE STRING "Sanitizers for our own programs, for example address,undefined")

# ccache, where it is installed, must be told that precompiled headers are fine.
find_program(COUPLET_CCACHE ccache)
mark_as_advanced(COUPLET_CCACHE)
if(COUPLET_CCACHE AND (NOT CMAKE_CXX_COMPILER_LAUNCHER OR CMAKE_CXX_COMPILER_LAUNCHER STREQUAL "ccache"))
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros" "${COUPLET_CCACHE}")
endif()
