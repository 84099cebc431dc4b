//! The API's own page on which a person signs in and copies a token, `/api/v1/auth/login/APPLICATION`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use super::context::{LOGIN_CLIENT_ID, ServerContext};
use super::html::page;
use super::issuing::TokenPurpose;
use super::people::{buttons, person};
use super::person_grants::AUDIENCE;

/// Where a person copies a token for this API.
pub(super) const PATH: &str = "/api/v1/auth/login/self-service";

/// How long a copied token is valid: long enough to be pasted, and short enough to see how it ends.
const LIFETIME: Duration = Duration::from_mins(15);

const COPY: &str = "<textarea id=\"token\" rows=\"8\" readonly>TOKEN</textarea>\n\
<p><button id=\"copy\">Copy Token</button> <span id=\"copied\" role=\"status\"></span></p>\n\
<p>Hand it to cupbearer within 15 minutes: that is how long it is valid.</p>\n\
<script>\n\
document.getElementById(\"copy\").addEventListener(\"click\", async () => {\n\
  await navigator.clipboard.writeText(document.getElementById(\"token\").value);\n\
  document.getElementById(\"copied\").textContent = \"Copied\";\n\
});\n\
</script>\n";

pub(super) fn routes() -> Router<Arc<ServerContext>> {
    Router::new().route("/api/v1/auth/login/{application}", get(ask).post(show))
}

async fn ask(Path(application): Path<String>) -> Response {
    if application != "self-service" {
        return no_such_application();
    }
    let form = format!(
        "<p>In this demo nobody has a password: choose who to be.</p>\n<form method=\"post\">\n{}</form>\n",
        buttons()
    );
    page(StatusCode::OK, "Sign in to copy a token", &form)
}

async fn show(
    State(context): State<Arc<ServerContext>>,
    Path(application): Path<String>,
    body: Bytes,
) -> Response {
    if application != "self-service" {
        return no_such_application();
    }
    let chosen = form_urlencoded::parse(&body).find(|(name, _)| name == "person");
    let Some(person) = chosen.and_then(|(_, subject)| person(&subject)) else {
        let problem = "<p>There is no such person.</p>\n";
        return page(StatusCode::BAD_REQUEST, "Nobody is signed in", problem);
    };
    let token = context.issue(
        LIFETIME,
        &TokenPurpose {
            client_id: LOGIN_CLIENT_ID,
            audience: AUDIENCE,
            scope: "self-service",
            person: Some(person),
        },
    );
    // A JWT has no character that HTML gives a meaning to.
    let copy = COPY.replace("TOKEN", &token);
    page(StatusCode::OK, "Copy your token", &copy)
}

fn no_such_application() -> Response {
    let problem = "<p>The only application of this demo is self-service.</p>\n";
    page(
        StatusCode::NOT_FOUND,
        "There is no such application",
        problem,
    )
}
