//! The configuration and the commands that a user of the demo would write, as text. The caller prints them.

use super::servers::Demo;

impl Demo {
    /// The configuration of a proxy in front of the API, as a user would write it: it contains nothing that only the
    /// demo knows, and the secret stays in its own file.
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
            quoted(self.state.auth_method(self.client_id).name()),
        )
    }

    /// Writes [`configuration`](Self::configuration) to a file that is removed together with the demo.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub fn write_configuration(&self) -> std::io::Result<std::path::PathBuf> {
        self.secret_file
            .beside("cupbearer.toml", &self.configuration())
    }

    /// A command that sends a request directly to the API, which rejects it for lack of a token.
    #[must_use]
    pub fn curl_without_token(&self) -> String {
        curl(&self.api_url)
    }

    /// The same command for the proxy at `proxy_url` (`http://localhost:PORT`).
    #[must_use]
    pub fn curl_through(&self, proxy_url: &str) -> String {
        curl(proxy_url)
    }

    /// The address of the Swagger UI page behind the proxy at `proxy_url`.
    #[must_use]
    pub fn docs_through(&self, proxy_url: &str) -> String {
        format!("{}/docs", proxy_url.trim_end_matches('/'))
    }
}

/// With `--noproxy`, because curl uses `http_proxy` for requests to this machine too.
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
