//! The frame of the pages on which a person signs in.

use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, header};

use super::errors::NO_STORE;

/// A page. `main` is HTML, and must contain no text from a request.
pub(super) fn page(status: StatusCode, title: &str, main: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} (demo)</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }} \
         body {{ max-width: 40rem; margin: 3rem auto; padding: 0 1rem }} \
         button {{ font: inherit; padding: .3rem .8rem }} textarea {{ width: 100%; font-family: monospace }}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n{main}</body>\n</html>\n"
    );
    let alone = (header::X_FRAME_OPTIONS, "DENY");
    (status, [NO_STORE, alone], Html(html)).into_response()
}
