//! `/docs`: Swagger UI, with all its files from this server, so that it works offline.
//!
//! Only the static files of `swagger-ui-dist` are served. Its page is not, because it copies the target of the request
//! into the HTML without escaping.

use axum::Router;
use axum::extract::{Path, Request};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use swagger_ui_dist::{ApiDefinition, OpenApiSource, generate_routes};
use tower::ServiceExt as _;

const FILES: [&str; 4] = [
    "swagger-ui.css",
    "swagger-ui.css.map",
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.map",
];

const PAGE: &str = include_str!("docs_page.html");

/// The routes of the page and its files, for a document at `/api/v1/openapi.json`.
pub(super) fn routes(not_found: fn() -> Response) -> Router {
    let files = generate_routes(ApiDefinition {
        uri_prefix: "/docs",
        api_definition: OpenApiSource::Uri("/api/v1/openapi.json"),
        title: None,
    });
    Router::new()
        .route("/docs", get(async || Html(PAGE)))
        .route(
            "/docs/{file}",
            get(async move |Path(file): Path<String>, request: Request| {
                if !FILES.contains(&file.as_str()) {
                    return not_found();
                }
                files.oneshot(request).await.into_response()
            }),
        )
}
