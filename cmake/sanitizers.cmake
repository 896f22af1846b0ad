# SPDX-License-Identifier: BSD-3-Clause
# IOPMEM_SANITIZE: empty, or what -fsanitize= takes ("address,undefined", "thread").
set(IOPMEM_SANITIZE "" CACHE STRING "Sanitizers to build with")
if(IOPMEM_SANITIZE)
	add_compile_options(-fsanitize=${IOPMEM_SANITIZE} -fno-omit-frame-pointer)
	add_link_options(-fsanitize=${IOPMEM_SANITIZE})
endif()
