//! `/docs`: Swagger UI with everything it needs from this server, so that it works offline.
//!
//! Of `swagger-ui-dist` only the static files are served. Its page is not: it puts the request's
//! address into the HTML as it came.

use axum::Router;
use axum::extract::{Path, Request};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use http::StatusCode;
use swagger_ui_dist::{ApiDefinition, OpenApiSource, generate_routes};
use tower::ServiceExt as _;

const FILES: [&str; 4] = [
    "swagger-ui.css",
    "swagger-ui.css.map",
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.map",
];

const PAGE: &str = include_str!("docs_page.html");

/// The page and its files, for a document at `/api/v1/openapi.json`.
pub(super) fn routes() -> Router {
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
                    return StatusCode::NOT_FOUND.into_response();
                }
                files.oneshot(request).await.into_response()
            }),
        )
}
