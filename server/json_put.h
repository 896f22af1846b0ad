/* SPDX-License-Identifier: BSD-3-Clause */
/* Members of a JSON object, in one line each. */
#ifndef IOPMEM_SERVER_JSON_PUT_H
#define IOPMEM_SERVER_JSON_PUT_H

#include <json_object.h>
#include <stdbool.h>
#include <stdint.h>

static inline void put_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static inline void put_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static inline void put_flag(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

#endif
