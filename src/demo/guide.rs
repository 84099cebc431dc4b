//! What a user would write and type in front of the demo, as text. Printing is the caller's.

use super::Demo;

impl Demo {
    /// The configuration of a proxy in front, as a user would write it: nothing in it is known to
    /// the demo alone, and the secret stays in its file.
    #[must_use]
    pub fn configuration(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let secret_file = self.secret_file.path().to_string_lossy();
        format!(
            "[upstream]\nurl = {}\n\n[token]\nurl = {}\nclient_id = {}\nclient_secret = {{ file = {} }}\nauth = {}\n",
            quoted(&self.api_url),
            quoted(&self.token_url),
            quoted(self.client_id),
            quoted(&secret_file),
            quoted(self.knobs.auth_method(self.client_id).name()),
        )
    }

    /// The same in a file, which goes with the demo.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub fn write_configuration(&self) -> std::io::Result<std::path::PathBuf> {
        self.secret_file
            .beside("cupbearer.toml", &self.configuration())
    }

    /// A command that the API refuses: it carries no token.
    #[must_use]
    pub fn curl_refused(&self) -> String {
        curl(&self.api_url)
    }

    /// The same command, sent to a proxy at `proxy_url` (`http://localhost:PORT`).
    #[must_use]
    pub fn curl_through(&self, proxy_url: &str) -> String {
        curl(proxy_url)
    }

    /// The Swagger UI page as the proxy at `proxy_url` shows it.
    #[must_use]
    pub fn docs_through(&self, proxy_url: &str) -> String {
        format!("{}/docs", proxy_url.trim_end_matches('/'))
    }
}

/// `--noproxy`, because an `http_proxy` in the environment catches requests for this machine too.
fn curl(base_url: &str) -> String {
    let base_url = base_url.trim_end_matches('/');
    let authority = base_url
        .split_once("://")
        .map_or(base_url, |(_, authority)| authority);
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    format!("curl -i --noproxy {host} {base_url}/api/v1/certificates")
}

#[cfg(test)]
mod tests;
