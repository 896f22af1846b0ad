// SPDX-License-Identifier: BSD-3-Clause
#define HASH_NONFATAL_OOM 1
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct key {
	const struct node *parent;
	char text[];
};

struct name {
	struct node *parent;		/* has a reference */
	struct node *node;		/* has none: a node lives as long as its references */
	struct name *next;		/* of the node */
	UT_hash_handle hh;		/* nodes.by_name, by the key */
	struct key key;
};

/* All functions up to the public ones assume nodes.lock. */

static void drop(struct nodes *nodes, struct node *node, uint64_t n);

static struct key *key_new(const struct node *parent, const char *text, size_t *len)
{
	size_t n = strlen(text) + 1;
	struct key *k = malloc(sizeof(*k) + n);

	if (!k)
		return NULL;
	k->parent = parent;
	memcpy(k->text, text, n);
	*len = sizeof(*k) + n;
	return k;
}

static struct name *find_name(struct nodes *nodes, const struct node *parent, const char *text)
{
	struct name *found = NULL;
	struct key *k;
	size_t len;

	k = key_new(parent, text, &len);
	if (k)
		HASH_FIND(hh, nodes->by_name, k, len, found);
	free(k);
	return found;
}

static void remove_name(struct nodes *nodes, struct name *n)
{
	struct name **p = &n->node->names;

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	HASH_DEL(nodes->by_name, n);
	drop(nodes, n->parent, 1);
	free(n);
}

static int add_name(struct nodes *nodes, struct node *parent, const char *text, struct node *node)
{
	size_t len = strlen(text) + 1;
	struct name *n = calloc(1, sizeof(*n) + len), *added;

	if (!n)
		return -ENOMEM;
	n->parent = parent;
	n->key.parent = parent;
	n->node = node;
	memcpy(n->key.text, text, len);
	HASH_ADD_KEYPTR(hh, nodes->by_name, &n->key, sizeof(n->key) + len, n);
	HASH_FIND(hh, nodes->by_name, &n->key, sizeof(n->key) + len, added);
	if (added != n) {
		free(n);
		return -ENOMEM;
	}
	n->next = node->names;
	node->names = n;
	parent->refs++;
	return 0;
}

static void unhash(struct nodes *nodes, struct node *node)
{
	if (node->hashed)
		HASH_DEL(nodes->by_id, node);
	node->hashed = false;
}

static void drop(struct nodes *nodes, struct node *node, uint64_t n)
{
	node->refs -= n < node->refs ? n : node->refs;
	if (node->refs || node == &nodes->root)
		return;
	while (node->names)
		remove_name(nodes, node->names);
	unhash(nodes, node);
	DL_DELETE(nodes->all, node);
	free(node);
}

static struct node *node_new(struct nodes *nodes, const struct iopmem_stat *st)
{
	struct node *node = calloc(1, sizeof(*node)), *added;

	if (!node)
		return NULL;
	node->fileid = st->fileid;
	node->type = st->type;
	HASH_ADD(hh, nodes->by_id, fileid, sizeof(node->fileid), node);
	HASH_FIND(hh, nodes->by_id, &node->fileid, sizeof(node->fileid), added);
	node->hashed = added == node;
	if (!node->hashed) {
		free(node);
		return NULL;
	}
	DL_APPEND(nodes->all, node);
	return node;
}

/*
 * Is @node, of the number that a name was found to lead to, that file still?  The number of
 * one that has lost its last name and is not open may be another file's by now.
 */
static bool same_file(const struct nodes *nodes, const struct node *node,
		      const struct iopmem_stat *st)
{
	return node == &nodes->root || ((node->names || node->handles) && node->type == st->type);
}

/* ---- public ---- */

int nodes_init(struct nodes *nodes, const char *prefix, const struct iopmem_stat *root)
{
	*nodes = (struct nodes){ .root = { .fileid = root->fileid, .type = root->type } };
	nodes->prefix = strdup(prefix);
	if (!nodes->prefix)
		return -ENOMEM;
	pthread_mutex_init(&nodes->lock, NULL);
	return 0;
}

void nodes_fini(struct nodes *nodes)
{
	struct name *n, *next_name;
	struct node *node, *next;

	HASH_ITER(hh, nodes->by_name, n, next_name) {
		HASH_DEL(nodes->by_name, n);
		free(n);
	}
	HASH_CLEAR(hh, nodes->by_id);
	DL_FOREACH_SAFE(nodes->all, node, next) {
		DL_DELETE(nodes->all, node);
		free(node);
	}
	pthread_mutex_destroy(&nodes->lock);
	free(nodes->prefix);
}

int node_learn(struct nodes *nodes, struct node *parent, const char *text,
	       const struct iopmem_stat *st, struct node **result)
{
	struct node *node = NULL;
	struct name *n;
	int ret = 0;

	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->by_id, &st->fileid, sizeof(st->fileid), node);
	if (node && !same_file(nodes, node, st)) {
		unhash(nodes, node);
		node = NULL;
	}
	if (!node)
		node = node_new(nodes, st);
	if (!node) {
		ret = -ENOMEM;
		goto out;
	}
	node->refs++;
	n = find_name(nodes, parent, text);
	if (n && n->node != node) {
		remove_name(nodes, n);
		n = NULL;
	}
	if (!n)
		ret = add_name(nodes, parent, text, node);
	if (ret)
		drop(nodes, node, 1);
	else
		*result = node;
out:
	pthread_mutex_unlock(&nodes->lock);
	return ret;
}

void node_get(struct nodes *nodes, struct node *node)
{
	pthread_mutex_lock(&nodes->lock);
	node->refs++;
	pthread_mutex_unlock(&nodes->lock);
}

struct node *node_find(struct nodes *nodes, uint64_t fileid)
{
	struct node *node;

	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->by_id, &fileid, sizeof(fileid), node);
	if (node)
		node->refs++;
	pthread_mutex_unlock(&nodes->lock);
	return node;
}

void node_put(struct nodes *nodes, struct node *node, uint64_t n)
{
	pthread_mutex_lock(&nodes->lock);
	drop(nodes, node, n);
	pthread_mutex_unlock(&nodes->lock);
}

void node_unlink(struct nodes *nodes, struct node *parent, const char *text)
{
	struct name *n;

	pthread_mutex_lock(&nodes->lock);
	parent->changes++;
	n = find_name(nodes, parent, text);
	if (n)
		remove_name(nodes, n);
	pthread_mutex_unlock(&nodes->lock);
}

void node_rename(struct nodes *nodes, struct node *from, const char *from_name,
		 struct node *to, const char *to_name, bool exchange)
{
	struct node *a, *b;
	struct name *n;

	pthread_mutex_lock(&nodes->lock);
	from->changes++;
	to->changes++;
	n = find_name(nodes, from, from_name);
	a = n ? n->node : NULL;
	if (n)
		remove_name(nodes, n);
	n = find_name(nodes, to, to_name);
	b = n ? n->node : NULL;
	if (n)
		remove_name(nodes, n);
	/* Without memory they have no name until the kernel looks them up again. */
	if (a)
		add_name(nodes, to, to_name, a);
	if (b && exchange)
		add_name(nodes, from, from_name, b);
	pthread_mutex_unlock(&nodes->lock);
}

void node_changed(struct nodes *nodes, const struct node *node)
{
	const struct name *n;

	pthread_mutex_lock(&nodes->lock);
	for (n = node->names; n; n = n->next)
		n->parent->changes++;
	pthread_mutex_unlock(&nodes->lock);
}

uint64_t node_changes(struct nodes *nodes, const struct node *node)
{
	uint64_t n;

	pthread_mutex_lock(&nodes->lock);
	n = node->changes;
	pthread_mutex_unlock(&nodes->lock);
	return n;
}

/* Writes @text and a slash before what begins at @at; the new beginning, or NULL: no room. */
static char *prepend(char *path, char *at, const char *text)
{
	size_t n = strlen(text), slash = *at != '\0';

	if (!n)
		return at;
	if ((size_t)(at - path) < n + slash)
		return NULL;
	if (slash)
		*--at = '/';
	return memcpy(at - n, text, n);
}

int node_path(struct nodes *nodes, const struct node *node, const char *name,
	      char path[NODE_PATH_MAX + 1])
{
	char *at = path + NODE_PATH_MAX;
	int ret = 0;

	*at = '\0';
	if (name)
		at = prepend(path, at, name);
	pthread_mutex_lock(&nodes->lock);
	for (; at && node != &nodes->root && node->names; node = node->names->parent)
		at = prepend(path, at, node->names->key.text);
	if (node != &nodes->root && at)
		ret = -ESTALE;
	pthread_mutex_unlock(&nodes->lock);
	if (at && !ret)
		at = prepend(path, at, nodes->prefix);
	if (!at)
		return -ENAMETOOLONG;
	memmove(path, at, strlen(at) + 1);
	return ret;
}
