# SPDX-License-Identifier: BSD-3-Clause
option(IOPMEM_WERROR "Treat warnings as errors (CI)" OFF)

add_library(iopmem_warnings INTERFACE)
target_compile_options(iopmem_warnings INTERFACE
	-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
	-Wformat=2 -Wundef -Wvla -fstack-protector-strong)
# Without HASH_NONFATAL_OOM uthash ends the process when it gets no memory; with it hh.tbl stays NULL.
target_compile_definitions(iopmem_warnings INTERFACE _GNU_SOURCE HASH_NONFATAL_OOM=1)
if(IOPMEM_WERROR)
	target_compile_options(iopmem_warnings INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel")
	target_compile_options(iopmem_warnings INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
	target_link_options(iopmem_warnings INTERFACE -Wl,-z,relro,-z,now)
endif()
