# cmake --install: the headers and a package, found with find_package(couplet) and linked as couplet::couplet.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(destination "${CMAKE_INSTALL_DATADIR}/cmake/couplet")

install(TARGETS couplet EXPORT coupletTargets)
install(EXPORT coupletTargets NAMESPACE couplet:: DESTINATION "${destination}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/couplet" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/coupletConfig.cmake.in" coupletConfig.cmake
                              INSTALL_DESTINATION "${destination}")
write_basic_package_version_file(coupletConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/coupletConfig.cmake" "${PROJECT_BINARY_DIR}/coupletConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/CoupletDependencies.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindStb.cmake"
        DESTINATION "${destination}")
