//! The configuration and the commands that a user of the demo would write, as text. The caller prints them.

use super::context::{LOGIN_CLIENT_ID, LOGIN_SCOPES};
use super::copied_token;
use super::servers::Demo;

/// How a person signs in to the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginWay {
    /// With a browser, which comes back to this address.
    Browser {
        /// `token.redirect_url`.
        redirect_url: String,
    },
    /// With a token that is copied from a page of the API.
    Paste,
}

impl Demo {
    /// The configuration of a proxy to which a person signs in.
    #[must_use]
    pub fn login_configuration(&self, way: &LoginWay) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let token = match way {
            LoginWay::Browser { redirect_url } => format!(
                // A keyring would keep the session of a server that ends with the demo.
                "grant = \"authorization_code\"\nissuer = {}\nclient_id = {}\nauth = \"none\"\nscope = {}\n\
                 redirect_url = {}\nstore = \"memory\"\n",
                quoted(&self.issuer),
                quoted(LOGIN_CLIENT_ID),
                quoted(&LOGIN_SCOPES.join(" ")),
                quoted(redirect_url),
            ),
            LoginWay::Paste => format!(
                "grant = \"paste\"\nlogin_url = {}\n",
                quoted(&format!("{}{}", self.api_url, copied_token::PATH)),
            ),
        };
        format!(
            "[upstream]\nurl = {}\n\n[token]\n{token}",
            quoted(&self.api_url)
        )
    }

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

    /// Writes a configuration to a file that is removed together with the demo.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub fn write_configuration(&self, text: &str) -> std::io::Result<std::path::PathBuf> {
        self.secret_file.beside("cupbearer.toml", text)
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
