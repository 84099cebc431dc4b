//! The checks of the doctor, in their order.
//!
//! To add a check, add its constant here and in [`CHECKS`], and make it at the same place in `examine`.

/// A check: its names, and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckName {
    /// The name in `--json`, which never changes.
    pub id: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What the check covers, for the table in `docs/doctor.md`.
    pub covers: &'static str,
}

const fn name(id: &'static str, title: &'static str, covers: &'static str) -> CheckName {
    CheckName { id, title, covers }
}

pub(super) const CONFIGURATION: CheckName = name(
    "configuration",
    "configuration",
    "whether it and the files that it names are valid; if not, nothing else is checked",
);
pub(super) const SECRET: CheckName = name(
    "secret",
    "secret",
    "whether it is readable, who else can read it, and whether a private key really is one",
);
pub(super) const PROXY: CheckName = name(
    "proxy",
    "corporate proxies",
    "the route to both hosts; reports a PAC file, which cupbearer does not evaluate",
);
pub(super) const NO_PROXY: CheckName = name(
    "no_proxy",
    "NO_PROXY",
    "whether curl and Postman would send requests for cupbearer to a proxy",
);

/// The checks on the way to the token endpoint.
pub(super) const TOKEN_ENDPOINT: ConnectionChecks = ConnectionChecks {
    dns: name(
        "token_endpoint.dns",
        "token endpoint: name",
        "whether its name resolves, or the corporate proxy's name if there is one",
    ),
    tcp: name(
        "token_endpoint.tcp",
        "token endpoint: connection",
        "whether something is listening there",
    ),
    proxy: name(
        "token_endpoint.proxy",
        "token endpoint: corporate proxy",
        "whether the corporate proxy connects, or why not: 407, wrong password, forbidden host",
    ),
    tls: name(
        "token_endpoint.tls",
        "token endpoint: TLS",
        "the certificate, and whether a public authority issued it; if not, who can read the traffic",
    ),
};
pub(super) const DISCOVERY: CheckName = name(
    "discovery",
    "issuer's metadata",
    "the issuer's metadata; for PingOne whether region and environment id belong together, without using the secret",
);
pub(super) const CLOCK: CheckName = name(
    "clock",
    "clock",
    "this machine's clock, compared with the server's",
);
pub(super) const GRANT: CheckName = name(
    "grant",
    "access token",
    "whether the token endpoint grants an access token, and if not, why",
);
pub(super) const TOKEN_FORM: CheckName = name("token.form", "token: form", "JWT or opaque; size");
pub(super) const TOKEN_ISSUER: CheckName = name(
    "token.issuer",
    "token: issuer",
    "whether the issuer is the one that belongs to the endpoint",
);
pub(super) const TOKEN_EXPIRY: CheckName = name(
    "token.expiry",
    "token: expiry",
    "when it expires by this machine's clock, compared with `expires_in`",
);
pub(super) const TOKEN_SCOPE: CheckName = name(
    "token.scope",
    "token: scope",
    "the requested and the granted scopes",
);
pub(super) const TOKEN_GROUPS: CheckName = name(
    "token.groups",
    "token: groups",
    "the groups and roles in it; PingOne Advanced Services: whether the groups are present, as an array of strings",
);
pub(super) const TOKEN_ROLE: CheckName = name(
    "token.role",
    "token: role",
    "whether a role matches the environment in the API's host name",
);

/// The checks on the way to the API.
pub(super) const API: ConnectionChecks = ConnectionChecks {
    dns: name("api.dns", "API: name", "the same as `token_endpoint.dns`"),
    tcp: name(
        "api.tcp",
        "API: connection",
        "the same as `token_endpoint.tcp`",
    ),
    proxy: name(
        "api.proxy",
        "API: corporate proxy",
        "the same as `token_endpoint.proxy`",
    ),
    tls: name("api.tls", "API: TLS", "the same as `token_endpoint.tls`"),
};
pub(super) const API_ANSWER: CheckName = name(
    "api.answer",
    "API: answer",
    "one harmless GET (`--path` selects another); detects a rejected token, a missing role, a firewall, an IP allow list",
);
pub(super) const LISTENER: CheckName = name(
    "listener",
    "listener",
    "whether the port is free, or which process is using it; recognises a cupbearer that is running this configuration",
);

/// Every check, in order. Its number is its place here.
pub const CHECKS: [CheckName; 23] = [
    CONFIGURATION,
    SECRET,
    PROXY,
    NO_PROXY,
    TOKEN_ENDPOINT.dns,
    TOKEN_ENDPOINT.tcp,
    TOKEN_ENDPOINT.proxy,
    TOKEN_ENDPOINT.tls,
    DISCOVERY,
    CLOCK,
    GRANT,
    TOKEN_FORM,
    TOKEN_ISSUER,
    TOKEN_EXPIRY,
    TOKEN_SCOPE,
    TOKEN_GROUPS,
    TOKEN_ROLE,
    API.dns,
    API.tcp,
    API.proxy,
    API.tls,
    API_ANSWER,
    LISTENER,
];

/// The table of checks in `docs/doctor.md`.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = "| | `id` in `--json` | what is checked |\n| --- | --- | --- |\n".to_owned();
    for (index, check) in CHECKS.iter().enumerate() {
        let row = format!("| {} | `{}` | {} |\n", index + 1, check.id, check.covers);
        table.push_str(&row);
    }
    table
}

/// The checks on the way to one host, each of which needs the one before it.
pub(super) struct ConnectionChecks {
    pub(super) dns: CheckName,
    pub(super) tcp: CheckName,
    pub(super) proxy: CheckName,
    pub(super) tls: CheckName,
}
