// SPDX-License-Identifier: BSD-3-Clause
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE_FILE	"backing.sqlite"
#define BUSY_MS		5000

struct store {
	sqlite3 *db;
	char *path;
	pthread_mutex_t lock;	/* the connection; innermost, nothing is taken under it */
};

/* synchronous=FULL: a committed transaction is on the disk when the call returns. */
static const char schema[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=FULL;"
	"CREATE TABLE IF NOT EXISTS growing("
	" export TEXT NOT NULL, key BLOB NOT NULL, dev INTEGER NOT NULL,"
	" ino INTEGER NOT NULL, fsid INTEGER NOT NULL, path TEXT NOT NULL,"
	" committed INTEGER NOT NULL, grown INTEGER NOT NULL,"
	" PRIMARY KEY(export, key)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS clients("
	" owner BLOB NOT NULL, uid INTEGER NOT NULL, verifier BLOB NOT NULL,"
	" instance BLOB NOT NULL, state INTEGER NOT NULL, seen INTEGER NOT NULL,"
	" PRIMARY KEY(owner, uid));";

static int to_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	default:
		return EIO;
	}
}

static int db_err(struct store *st, int rc, const char *what, struct iopmem_err *err)
{
	return err_msg(err, to_errno(rc), "store '%s': %s: %s", st->path, what,
		       st->db ? sqlite3_errmsg(st->db) : sqlite3_errstr(rc));
}

void store_close(struct store *st)
{
	if (!st)
		return;
	sqlite3_close(st->db);
	pthread_mutex_destroy(&st->lock);
	free(st->path);
	free(st);
}

int store_open(const char *state_dir, struct store **out, struct iopmem_err *err)
{
	struct store *st = calloc(1, sizeof(*st));
	int rc;

	if (!st)
		return err_set(err, ENOMEM, "store in '%s'", state_dir);
	pthread_mutex_init(&st->lock, NULL);
	if (asprintf(&st->path, "%s/" STORE_FILE, state_dir) < 0) {
		st->path = NULL;
		rc = err_set(err, ENOMEM, "store in '%s'", state_dir);
		goto err_free;
	}
	rc = sqlite3_open_v2(st->path, &st->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc != SQLITE_OK) {
		rc = db_err(st, rc, "open", err);
		goto err_free;
	}
	sqlite3_busy_timeout(st->db, BUSY_MS);
	rc = sqlite3_exec(st->db, schema, NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		rc = db_err(st, rc, "create", err);
		goto err_free;
	}
	*out = st;
	return 0;
err_free:
	store_close(st);
	return rc;
}

int store_growing_put(struct store *st, const char *export, const struct store_growing *row,
		      struct iopmem_err *err)
{
	static const char sql[] = "INSERT OR REPLACE INTO growing"
				  "(export,key,dev,ino,fsid,path,committed,grown)"
				  " VALUES(?,?,?,?,?,?,?,?)";
	sqlite3_stmt *q = NULL;
	int rc, ret = 0;

	pthread_mutex_lock(&st->lock);
	rc = sqlite3_prepare_v2(st->db, sql, -1, &q, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(q, 1, export, -1, SQLITE_STATIC);
		sqlite3_bind_blob(q, 2, row->key, (int)row->key_len, SQLITE_STATIC);
		sqlite3_bind_int64(q, 3, (sqlite3_int64)row->dev);
		sqlite3_bind_int64(q, 4, (sqlite3_int64)row->ino);
		sqlite3_bind_int64(q, 5, (sqlite3_int64)row->fsid);
		sqlite3_bind_text(q, 6, row->path ? row->path : "", -1, SQLITE_STATIC);
		sqlite3_bind_int64(q, 7, (sqlite3_int64)row->committed);
		sqlite3_bind_int64(q, 8, (sqlite3_int64)row->grown);
		rc = sqlite3_step(q);
	}
	if (rc != SQLITE_DONE)
		ret = db_err(st, rc, "write committed size", err);
	sqlite3_finalize(q);
	pthread_mutex_unlock(&st->lock);
	return ret;
}

int store_growing_del(struct store *st, const char *export, const unsigned char *key,
		      size_t key_len, struct iopmem_err *err)
{
	sqlite3_stmt *q = NULL;
	int rc, ret = 0;

	pthread_mutex_lock(&st->lock);
	rc = sqlite3_prepare_v2(st->db, "DELETE FROM growing WHERE export=? AND key=?", -1,
				&q, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(q, 1, export, -1, SQLITE_STATIC);
		sqlite3_bind_blob(q, 2, key, (int)key_len, SQLITE_STATIC);
		rc = sqlite3_step(q);
	}
	if (rc != SQLITE_DONE)
		ret = db_err(st, rc, "delete", err);
	sqlite3_finalize(q);
	pthread_mutex_unlock(&st->lock);
	return ret;
}

static int row_read(sqlite3_stmt *q, struct store_growing *row)
{
	const void *key = sqlite3_column_blob(q, 0);
	int len = sqlite3_column_bytes(q, 0);
	const char *path = (const char *)sqlite3_column_text(q, 4);

	if (!key || len <= 0 || len > STORE_KEY_MAX)
		return -EIO;
	memcpy(row->key, key, (size_t)len);
	row->key_len = (size_t)len;
	row->dev = (uint64_t)sqlite3_column_int64(q, 1);
	row->ino = (uint64_t)sqlite3_column_int64(q, 2);
	row->fsid = (uint64_t)sqlite3_column_int64(q, 3);
	row->committed = (uint64_t)sqlite3_column_int64(q, 5);
	row->grown = (uint64_t)sqlite3_column_int64(q, 6);
	row->path = strdup(path ? path : "");
	return row->path ? 0 : -ENOMEM;
}

/* Assumes: the lock is held. */
static int list_read(struct store *st, sqlite3_stmt *q, struct store_growing **rows,
		     size_t *n, struct iopmem_err *err)
{
	int rc;

	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct store_growing *more = reallocarray(*rows, *n + 1, sizeof(**rows));
		int ret;

		if (!more)
			return err_set(err, ENOMEM, "store '%s'", st->path);
		*rows = more;
		memset(&more[*n], 0, sizeof(*more));
		ret = row_read(q, &more[*n]);
		if (ret)
			return err_set(err, -ret, "store '%s': bad row", st->path);
		(*n)++;
	}
	return rc == SQLITE_DONE ? 0 : db_err(st, rc, "read", err);
}

int store_growing_list(struct store *st, const char *export, struct store_growing **rows,
		       size_t *n, struct iopmem_err *err)
{
	struct store_growing *list = NULL;
	sqlite3_stmt *q = NULL;
	size_t count = 0;
	int rc, ret;

	pthread_mutex_lock(&st->lock);
	rc = sqlite3_prepare_v2(st->db,
				"SELECT key,dev,ino,fsid,path,committed,grown FROM growing"
				" WHERE export=?", -1, &q, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(q, 1, export, -1, SQLITE_STATIC);
		ret = list_read(st, q, &list, &count, err);
	} else {
		ret = db_err(st, rc, "read", err);
	}
	sqlite3_finalize(q);
	pthread_mutex_unlock(&st->lock);
	if (ret) {
		store_growing_free(list, count);
		return ret;
	}
	*rows = list;
	*n = count;
	return 0;
}

void store_growing_free(struct store_growing *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(rows[i].path);
	free(rows);
}

/* ---- clients ---- */

/* Assumes: the lock is held. */
static int client_step(struct store *st, const struct store_client *row)
{
	static const char put[] = "INSERT OR REPLACE INTO clients"
				  "(owner,uid,verifier,instance,state,seen) VALUES(?,?,?,?,?,?)";
	static const char del[] = "DELETE FROM clients WHERE owner=? AND uid=?";
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(st->db, row->gone ? del : put, -1, &q, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_blob(q, 1, row->owner, (int)row->owner_len, SQLITE_STATIC);
		sqlite3_bind_int64(q, 2, row->uid);
		if (!row->gone) {
			sqlite3_bind_blob(q, 3, row->verifier, sizeof(row->verifier), SQLITE_STATIC);
			sqlite3_bind_blob(q, 4, row->instance, sizeof(row->instance), SQLITE_STATIC);
			sqlite3_bind_int(q, 5, (int)row->state);
			sqlite3_bind_int64(q, 6, row->seen);
		}
		rc = sqlite3_step(q);
	}
	sqlite3_finalize(q);
	return rc;
}

int store_clients_write(struct store *st, const struct store_client *rows, size_t n,
			struct iopmem_err *err)
{
	int rc, ret = 0;

	pthread_mutex_lock(&st->lock);
	rc = sqlite3_exec(st->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		ret = db_err(st, rc, "write clients", err);
		goto out;
	}
	rc = SQLITE_DONE;
	for (size_t i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = client_step(st, &rows[i]);
	if (rc == SQLITE_DONE)
		rc = sqlite3_exec(st->db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		ret = db_err(st, rc, "write clients", err);
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	}
out:
	pthread_mutex_unlock(&st->lock);
	return ret;
}

/* A column of at most @max bytes; false: it is longer. */
static bool take_blob(sqlite3_stmt *q, int column, uint8_t *to, size_t max, size_t *len)
{
	int n = sqlite3_column_bytes(q, column);

	if (n < 0 || (size_t)n > max)
		return false;
	if (n)
		memcpy(to, sqlite3_column_blob(q, column), (size_t)n);
	*len = (size_t)n;
	return true;
}

static bool client_read(sqlite3_stmt *q, struct store_client *row)
{
	int state = sqlite3_column_int(q, 4);
	size_t verifier, instance;

	row->uid = (uint32_t)sqlite3_column_int64(q, 1);
	row->state = (enum store_client_state)state;
	row->seen = sqlite3_column_int64(q, 5);
	return take_blob(q, 0, row->owner, sizeof(row->owner), &row->owner_len) &&
	       take_blob(q, 2, row->verifier, sizeof(row->verifier), &verifier) &&
	       take_blob(q, 3, row->instance, sizeof(row->instance), &instance) &&
	       verifier == sizeof(row->verifier) && instance == sizeof(row->instance) &&
	       state >= STORE_CLIENT_ACTIVE && state <= STORE_CLIENT_ENDED;
}

/* Assumes: the lock is held. */
static int clients_prune(struct store *st, size_t max)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(st->db,
				    "DELETE FROM clients WHERE rowid NOT IN"
				    " (SELECT rowid FROM clients ORDER BY seen DESC LIMIT ?)", -1,
				    &q, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(q, 1, (sqlite3_int64)max);
		rc = sqlite3_step(q);
	}
	sqlite3_finalize(q);
	return rc;
}

int store_clients_list(struct store *st, size_t max, struct store_client **rows, size_t *n,
		       struct iopmem_err *err)
{
	struct store_client *list = calloc(max, sizeof(*list));
	sqlite3_stmt *q = NULL;
	size_t count = 0;
	int rc, ret = 0;

	if (!list)
		return err_set(err, ENOMEM, "store '%s'", st->path);
	pthread_mutex_lock(&st->lock);
	rc = clients_prune(st, max);
	if (rc == SQLITE_DONE)
		rc = sqlite3_prepare_v2(st->db,
					"SELECT owner,uid,verifier,instance,state,seen FROM clients"
					" ORDER BY seen", -1, &q, NULL);
	while ((rc == SQLITE_OK || rc == SQLITE_ROW) && (rc = sqlite3_step(q)) == SQLITE_ROW &&
	       count < max && !ret) {
		if (client_read(q, &list[count]))
			count++;
		else
			ret = err_msg(err, EIO, "store '%s': bad row of clients", st->path);
	}
	if (rc != SQLITE_DONE && !ret)
		ret = db_err(st, rc, "read clients", err);
	sqlite3_finalize(q);
	pthread_mutex_unlock(&st->lock);
	if (ret) {
		free(list);
		return ret;
	}
	*rows = list;
	*n = count;
	return 0;
}
