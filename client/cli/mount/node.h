/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files and directories that the kernel knows of a mount.  A node is a file, by the
 * server's number of it; the names that lead to it make up its path, which is how the
 * server is asked for what is not open.
 */
#ifndef CLIENT_CLI_MOUNT_NODE_H
#define CLIENT_CLI_MOUNT_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "iopmem.h"

#define NODE_PATH_MAX 4096	/* the protocol's */

struct handle;
struct name;

struct node {
	uint64_t fileid;
	uint32_t type;			/* IOPMEM_STAT_* */
	/* nodes.lock: */
	uint64_t refs;			/* the kernel's lookups, names below it, users */
	struct name *names;		/* that lead to it, the one learnt last first */
	struct handle *handles;		/* it is open as */
	uint64_t changes;		/* of the names in it and what they lead to */
	bool hashed;			/* false: its number has gone to another file */
	struct node *prev, *next;	/* nodes.all */
	UT_hash_handle hh;		/* nodes.by_id */
	unsigned int resizing;		/* cache.lock: the kernel changes its size */
	atomic_bool dirty;		/* written, by any handle, since the last commit */
};

struct nodes {
	pthread_mutex_t lock;		/* leaf */
	struct node *all;		/* but the root */
	struct node *by_id;
	struct name *by_name;
	struct node root;
	char *prefix;			/* path of the root in its export */
};

int nodes_init(struct nodes *nodes, const char *prefix, const struct iopmem_stat *root);
/* Frees all of them, whoever refers to them. */
void nodes_fini(struct nodes *nodes);

/* What the server has told of @name in @parent; the result has one reference more.  -ENOMEM. */
int node_learn(struct nodes *nodes, struct node *parent, const char *name,
	       const struct iopmem_stat *st, struct node **node);
void node_get(struct nodes *nodes, struct node *node);
/* The node of a file's number, with a reference, or NULL. */
struct node *node_find(struct nodes *nodes, uint64_t fileid);
void node_put(struct nodes *nodes, struct node *node, uint64_t n);

/* @name in @parent leads nowhere any more. */
void node_unlink(struct nodes *nodes, struct node *parent, const char *name);
/* What @from named is now named @to, or with @exchange both changed places. */
void node_rename(struct nodes *nodes, struct node *from, const char *from_name,
		 struct node *to, const char *to_name, bool exchange);
/* What is known of @node has changed: a listing of a directory that it is in may be older. */
void node_changed(struct nodes *nodes, const struct node *node);
/* Counts the changes of what a listing of a directory tells. */
uint64_t node_changes(struct nodes *nodes, const struct node *node);

/*
 * The path of @node, or of @name in it, in the export.  -ESTALE it has no name any more,
 * -ENAMETOOLONG.
 */
int node_path(struct nodes *nodes, const struct node *node, const char *name,
	      char path[NODE_PATH_MAX + 1]);

#endif
