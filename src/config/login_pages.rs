//! The pages of the API itself on which a person signs in. Their cookies belong to the API's own host, so a browser
//! must open them there.

use http::uri::PathAndQuery;

use super::address::Origin;
use super::token::TokenConfig;
use crate::vendor::advanced_services;

/// The API at this address has such pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPages {
    /// Scheme, host and port.
    api: String,
}

impl LoginPages {
    /// `None` if the API has no such pages. The self-service API of `PingOne` Advanced Services has some, and so has an
    /// API to one of whose pages `token.login_url` leads, as in the demo.
    #[must_use]
    pub fn of(api: &Origin, token: &TokenConfig) -> Option<Self> {
        let text = format!("{}://{}", api.scheme, api.authority);
        let configured = token
            .sign_in()
            .and_then(|sign_in| sign_in.login_url.as_ref());
        let is_configured = configured.is_some_and(|url| {
            advanced_services::is_login_page(url.path())
                && url::Url::parse(&text).is_ok_and(|api| api.origin() == url.origin())
        });
        let has_pages = is_configured || advanced_services::has_login_pages(api.authority.host());
        has_pages.then_some(Self { api: text })
    }

    /// The address of such a page at the API, if the target of a request is one.
    #[must_use]
    pub fn address(&self, target: &PathAndQuery) -> Option<String> {
        advanced_services::is_login_page(target.path()).then(|| format!("{}{target}", self.api))
    }
}
