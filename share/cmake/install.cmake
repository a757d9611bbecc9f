# What `cmake --install` puts where. The installed tree may be moved: nothing in it names the prefix.

# The name libpetlap.so must survive, so there is no version in it. PETSc's folder is often not one where the loader looks by itself.
set_target_properties(petlap PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS petlap EXPORT petlapTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES petlap.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY share/petlap/ DESTINATION ${CMAKE_INSTALL_DATADIR}/petlap)
# PCNEURAL looks for its weights there, from where the library is
install(DIRECTORY nn_weights/ DESTINATION ${CMAKE_INSTALL_DATADIR}/petlap/nn_weights FILES_MATCHING PATTERN "*.h5" PATTERN "README.md" PATTERN "train" EXCLUDE)

string(REGEX MATCH "^[0-9]+\\.[0-9]+" PETSC_SERIES "${PETSC_VERSION}")
string(REGEX MATCH "[0-9]+$" petlap_next "${PETSC_SERIES}")
math(EXPR petlap_next "${petlap_next} + 1")
string(REGEX REPLACE "[0-9]+$" "${petlap_next}" PETSC_NEXT_SERIES "${PETSC_SERIES}")

set(petlap_pcdir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH petlap_pc_prefix ${petlap_pcdir} ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" petlap_pc_prefix "${petlap_pc_prefix}")
file(RELATIVE_PATH petlap_pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH petlap_pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
file(RELATIVE_PATH petlap_pc_datadir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_DATADIR})
configure_file(share/pkgconfig/petlap.pc.in petlap.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/petlap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

include(CMakePackageConfigHelpers)
set(petlap_cmakedir ${CMAKE_INSTALL_LIBDIR}/cmake/petlap)
configure_package_config_file(share/cmake/petlapConfig.cmake.in petlapConfig.cmake INSTALL_DESTINATION ${petlap_cmakedir})
write_basic_package_version_file(petlapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/petlapConfig.cmake ${PROJECT_BINARY_DIR}/petlapConfigVersion.cmake share/cmake/FindPETSc.cmake DESTINATION ${petlap_cmakedir})
install(EXPORT petlapTargets NAMESPACE petlap:: DESTINATION ${petlap_cmakedir})
add_library(petlap::petlap ALIAS petlap)
