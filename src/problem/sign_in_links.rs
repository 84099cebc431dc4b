//! The links of a problem that a person ends by signing in.

use super::escape::escape_html;

/// Where a person signs in, and where the token is handed over. Neither address is of use to anyone else.
#[derive(Debug, Clone, Default)]
pub struct SignInLinks {
    /// Where a token can be copied.
    pub login_url: Option<String>,
    /// The page of the admin listener where it can be pasted, or where a sign-in with a browser begins.
    pub page: Option<String>,
    /// What to do on that page.
    pub step: &'static str,
}

impl SignInLinks {
    /// The address for a program to show.
    pub(super) fn first(&self) -> Option<&str> {
        self.login_url.as_deref().or(self.page.as_deref())
    }

    /// The links as HTML, in the order of the steps.
    pub(super) fn html(&self) -> String {
        let link = |what: &str, url: &str| {
            let url = escape_html(url);
            format!("<li>{what} <a href=\"{url}\" rel=\"noreferrer\">{url}</a></li>\n")
        };
        let copy = self.login_url.as_deref();
        let copy = copy.map(|url| link("Sign in and copy the token:", url));
        let paste = self.page.as_deref();
        let paste = paste.map(|url| link(self.step, url));
        let steps: String = copy.into_iter().chain(paste).collect();
        if steps.is_empty() {
            steps
        } else {
            format!("<ol>\n{steps}</ol>\n")
        }
    }
}
