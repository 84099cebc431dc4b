//! The page at `/sign-in`: who is signed in, and a field for a token. It contains no data: its script reads `/status`,
//! which no page of another origin may do.

use super::page_files::{CSS, HTML, PageFiles, SCRIPT};

/// The path of the page.
pub(crate) const SIGN_IN_PAGE: &str = "/sign-in";

pub(super) const SIGN_IN_FILES: PageFiles = PageFiles(&[
    (SIGN_IN_PAGE, HTML, include_str!("sign_in_page/index.html")),
    (
        "/sign-in/style.css",
        CSS,
        include_str!("sign_in_page/style.css"),
    ),
    (
        "/sign-in/main.js",
        SCRIPT,
        include_str!("sign_in_page/main.js"),
    ),
]);
