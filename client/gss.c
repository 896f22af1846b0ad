// SPDX-License-Identifier: BSD-3-Clause
#include "gss.h"

#include <errno.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <rpc/auth_gss.h>
#include <stdio.h>

static int failed(OM_uint32 major, OM_uint32 minor, const char *what, struct iopmem_err *err)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 ignored, more = 0;

	gss_display_status(&ignored, minor ? minor : major, minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE,
			   (gss_OID)(uintptr_t)gss_mech_krb5, &more, &text);
	err_msg(err, EACCES, "krb5: %s: %.*s", what, (int)text.length,
		text.length ? (const char *)text.value : "");
	gss_release_buffer(&ignored, &text);
	return -EACCES;
}

/* libtirpc does not say why it fails: the common causes are asked for beforehand. */
static int check_ticket(struct iopmem_err *err)
{
	gss_OID_set_desc krb5 = { 1, (gss_OID)(uintptr_t)gss_mech_krb5 };
	OM_uint32 major, minor, ignored, left_s = 0;
	gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
	int ret = 0;

	major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &krb5, GSS_C_INITIATE,
				 &cred, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		major = gss_inquire_cred(&minor, cred, NULL, &left_s, NULL, NULL);
	if (major != GSS_S_COMPLETE && GSS_ROUTINE_ERROR(major) != GSS_S_CREDENTIALS_EXPIRED)
		ret = failed(major, minor, "no ticket", err);
	else if (major != GSS_S_COMPLETE || !left_s)
		ret = err_msg(err, EACCES, "krb5: the ticket has expired (kinit gets a new one)");
	gss_release_cred(&ignored, &cred);
	return ret;
}

int gss_auth(CLIENT *clnt, const char *host, enum url_sec sec, AUTH **auth,
	     struct iopmem_err *err)
{
	static const rpc_gss_svc_t services[] = {
		[URL_SEC_KRB5] = RPCSEC_GSS_SVC_NONE, [URL_SEC_KRB5I] = RPCSEC_GSS_SVC_INTEGRITY,
		[URL_SEC_KRB5P] = RPCSEC_GSS_SVC_PRIVACY,
	};
	struct rpc_gss_sec how = {
		.mech = (gss_OID)(uintptr_t)gss_mech_krb5, .qop = GSS_C_QOP_DEFAULT,
		.svc = services[sec], .cred = GSS_C_NO_CREDENTIAL, .req_flags = GSS_C_MUTUAL_FLAG,
	};
	char service[URL_HOST_MAX + 16];
	int ret;

	ret = check_ticket(err);
	if (ret)
		return ret;
	snprintf(service, sizeof(service), "iopmem@%s", host);
	*auth = authgss_create_default(clnt, service, &how);
	if (!*auth)
		return err_msg(err, EACCES, "krb5: no context with %s: the server refuses this "
			       "principal, or there is no ticket for it", service);
	return 0;
}

void gss_auth_free(AUTH *auth)
{
	struct authgss_private_data taken;

	/* What is taken away auth_destroy() does not send a DESTROY for. */
	if (authgss_get_private_data(auth, &taken))
		authgss_free_private_data(&taken);
	auth_destroy(auth);
}
