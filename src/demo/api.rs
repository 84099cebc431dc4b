//! The simulated self-service API: certificates and hostnames, kept in memory.
//!
//! Responses have the format of `FastAPI`. A private key is validated and discarded: it is neither stored nor returned,
//! and no request body is echoed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router, middleware};
use http::StatusCode;
use serde_json::json;

use super::context::ServerContext;
use super::inventory::{Certificate, Hostname, Inventory, InventoryError};
use super::validation::{BodyFields, ValidationErrors};
use super::{access, copied_token, docs_page, openapi, validation};

type SharedInventory = Arc<Mutex<Inventory>>;

pub(super) fn routes(context: Arc<ServerContext>) -> Router {
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
            Arc::clone(&context),
            access::authorize,
        ))
        .with_state(SharedInventory::new(Mutex::new(Inventory::seeded())));
    let document = async |State(context): State<Arc<ServerContext>>| {
        Json(openapi::document(&context.state.behaviour().openapi_server))
    };
    Router::new()
        .route("/api/v1/openapi.json", get(document))
        .merge(copied_token::routes())
        .with_state(Arc::clone(&context))
        .merge(docs_page::routes(not_found))
        .merge(guarded)
        .fallback(async || not_found())
        .method_not_allowed_fallback(async || {
            detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(middleware::from_fn_with_state(context, access::record))
}

async fn list_certificates(State(inventory): State<SharedInventory>) -> Response {
    Json(locked(&inventory).certificates()).into_response()
}

async fn create_certificate(
    State(inventory): State<SharedInventory>,
    body: Bytes,
) -> Result<Response, Response> {
    let mut fields = BodyFields::read(&body).map_err(ValidationErrors::into_response)?;
    let certificate = Certificate {
        name: fields.name("name"),
        fullchain: fields.pem("fullchain", "CERTIFICATE"),
    };
    fields.pem("privkey", "PRIVATE KEY");
    fields.done().map_err(ValidationErrors::into_response)?;
    locked(&inventory)
        .add_certificate(certificate.clone())
        .map_err(InventoryError::into_response)?;
    Ok((StatusCode::CREATED, Json(certificate)).into_response())
}

async fn delete_certificate(
    State(inventory): State<SharedInventory>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Response> {
    let force = validation::flag(query.as_deref(), "force_delete")
        .map_err(ValidationErrors::into_response)?;
    locked(&inventory)
        .delete_certificate(&name, force)
        .map_err(InventoryError::into_response)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_hostnames(State(inventory): State<SharedInventory>) -> Response {
    Json(locked(&inventory).hostnames()).into_response()
}

async fn create_hostname(
    State(inventory): State<SharedInventory>,
    body: Bytes,
) -> Result<Response, Response> {
    let mut fields = BodyFields::read(&body).map_err(ValidationErrors::into_response)?;
    let hostname = Hostname {
        hostname: fields.hostname("hostname"),
        product: fields.one_of("product", &["pingaccess", "pingfederate"]),
        certname: fields.name("certname"),
    };
    fields.done().map_err(ValidationErrors::into_response)?;
    locked(&inventory)
        .add_hostname(hostname.clone())
        .map_err(InventoryError::into_response)?;
    Ok((StatusCode::CREATED, Json(hostname)).into_response())
}

async fn delete_hostname(
    State(inventory): State<SharedInventory>,
    Path(hostname): Path<String>,
) -> Result<StatusCode, Response> {
    locked(&inventory)
        .delete_hostname(&hostname)
        .map_err(InventoryError::into_response)?;
    Ok(StatusCode::NO_CONTENT)
}

impl IntoResponse for InventoryError {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound(message) => detail(StatusCode::NOT_FOUND, message),
            Self::Conflict(message) => detail(StatusCode::CONFLICT, message),
        }
    }
}

fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

fn detail(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

/// Ignores poisoning: no method of the inventory panics halfway through a change.
fn locked(inventory: &SharedInventory) -> MutexGuard<'_, Inventory> {
    inventory.lock().unwrap_or_else(PoisonError::into_inner)
}
