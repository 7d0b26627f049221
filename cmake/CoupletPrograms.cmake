# What the tests, benchmarks and examples of this tree share; users of couplet never see these targets.
#   couplet_developer_options   warnings as errors, sanitizers
#   couplet_shared_kernels      the kernels compiled once (cmake/kernels.cpp) in place of once per program
add_library(couplet_developer_options INTERFACE)
target_compile_options(couplet_developer_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O3 g++ 12 warns about its own std::string operator+ (GCC bugs 105329 and 105651, fixed in 13).
  target_compile_options(couplet_developer_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(COUPLET_WERROR)
  target_compile_options(couplet_developer_options INTERFACE -Werror)
endif()
if(COUPLET_SANITIZE)
  set(sanitize -fsanitize=${COUPLET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(couplet_developer_options INTERFACE ${sanitize})
  target_link_options(couplet_developer_options INTERFACE ${sanitize})
endif()

add_library(couplet_shared_kernels INTERFACE)
target_link_libraries(couplet_shared_kernels INTERFACE couplet::couplet)
if(EXISTS "${PROJECT_SOURCE_DIR}/include/couplet/simd/kernels.hpp")
  add_library(couplet_kernels STATIC "${PROJECT_SOURCE_DIR}/cmake/kernels.cpp")
  target_link_libraries(couplet_kernels PUBLIC couplet::couplet PRIVATE couplet_developer_options)
  target_compile_definitions(couplet_shared_kernels INTERFACE COUPLET_SHARED_KERNELS=1)
  target_link_libraries(couplet_shared_kernels INTERFACE couplet_kernels)
endif()

# couplet_light_optimisation(<target> <scope> <level>): -O1 or the like in place of the build type's -O3, for programs
# whose work is in the shared kernels: they compile in 60 % of the time. Other build types keep their own level.
function(couplet_light_optimisation target scope level)
  target_compile_options(${target} ${scope} $<$<CONFIG:Release>:${level}>)
endfunction()

# couplet_program(<name> <source>...): a program with our warnings and the shared kernels.
function(couplet_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE couplet_shared_kernels couplet_developer_options)
endfunction()
