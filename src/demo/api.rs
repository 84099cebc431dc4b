//! The stand-in self-service API: certificates and hostnames, kept in memory.
//!
//! Answers have the shapes of `FastAPI`. A private key is looked at and dropped: it is neither kept
//! nor returned, nor is any request body echoed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router, middleware};
use http::StatusCode;
use serde_json::json;

use super::inventory::{Certificate, Hostname, Inventory, Refused};
use super::validation::{Fields, Invalid};
use super::{Site, access, docs_page, openapi, validation};

type Shared = Arc<Mutex<Inventory>>;

pub(super) fn routes(site: Arc<Site>) -> Router {
    let guarded = Router::new()
        .route(
            "/api/v1/certificates",
            get(list_certificates).post(create_certificate),
        )
        .route("/api/v1/certificates/{name}", delete(delete_certificate))
        .route(
            "/api/v1/hostnames",
            get(list_hostnames).post(create_hostname),
        )
        .route("/api/v1/hostnames/{hostname}", delete(delete_hostname))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&site),
            access::authorize,
        ))
        .with_state(Shared::new(Mutex::new(Inventory::seeded())));
    let document = async |State(site): State<Arc<Site>>| {
        Json(openapi::document(&site.knobs.behaviour().openapi_server))
    };
    Router::new()
        .route("/api/v1/openapi.json", get(document))
        .with_state(Arc::clone(&site))
        .merge(docs_page::routes())
        .merge(guarded)
        .fallback(async || detail(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(middleware::from_fn_with_state(site, access::record))
}

async fn list_certificates(State(inventory): State<Shared>) -> Response {
    Json(locked(&inventory).certificates()).into_response()
}

async fn create_certificate(
    State(inventory): State<Shared>,
    body: Bytes,
) -> Result<Response, Response> {
    let mut fields = Fields::read(&body).map_err(Invalid::into_response)?;
    let certificate = Certificate {
        name: fields.name("name"),
        fullchain: fields.pem("fullchain", "CERTIFICATE"),
    };
    fields.pem("privkey", "PRIVATE KEY");
    fields.done().map_err(Invalid::into_response)?;
    locked(&inventory)
        .add_certificate(certificate.clone())
        .map_err(Refused::into_response)?;
    Ok((StatusCode::CREATED, Json(certificate)).into_response())
}

async fn delete_certificate(
    State(inventory): State<Shared>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Response> {
    let force =
        validation::flag(query.as_deref(), "force_delete").map_err(Invalid::into_response)?;
    locked(&inventory)
        .delete_certificate(&name, force)
        .map_err(Refused::into_response)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_hostnames(State(inventory): State<Shared>) -> Response {
    Json(locked(&inventory).hostnames()).into_response()
}

async fn create_hostname(
    State(inventory): State<Shared>,
    body: Bytes,
) -> Result<Response, Response> {
    let mut fields = Fields::read(&body).map_err(Invalid::into_response)?;
    let hostname = Hostname {
        hostname: fields.hostname("hostname"),
        product: fields.one_of("product", &["pingaccess", "pingfederate"]),
        certname: fields.name("certname"),
    };
    fields.done().map_err(Invalid::into_response)?;
    locked(&inventory)
        .add_hostname(hostname.clone())
        .map_err(Refused::into_response)?;
    Ok((StatusCode::CREATED, Json(hostname)).into_response())
}

async fn delete_hostname(
    State(inventory): State<Shared>,
    Path(hostname): Path<String>,
) -> Result<StatusCode, Response> {
    locked(&inventory)
        .delete_hostname(&hostname)
        .map_err(Refused::into_response)?;
    Ok(StatusCode::NO_CONTENT)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown(what) => detail(StatusCode::NOT_FOUND, what),
            Self::Taken(what) => detail(StatusCode::CONFLICT, what),
        }
    }
}

fn detail(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

/// Nothing in here leaves the lists half-changed, so a panic elsewhere does not spoil them.
fn locked(inventory: &Shared) -> MutexGuard<'_, Inventory> {
    inventory.lock().unwrap_or_else(PoisonError::into_inner)
}
