//! Makes an `OpenAPI` document describe the API as seen through the proxy: its servers are at the address that the
//! client used, and the token is already there.
//!
//! Pure functions. The text is parsed once, and only the values that change are replaced in place: white space, order,
//! numbers and escapes around them stay byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::changes::DocumentChanges;
use super::security::{SecurityValues, security_edits};
use super::text_edit::{TextEdit, apply_edits};
use crate::proxy::origin_ref::{ClientAddress, OriginRef};

/// What Swagger UI shows with `upstream.docs_note`.
const NOTE: &str = "*Signed in by cupbearer.*";

/// The document as seen through the proxy. `None` means that it stays as it is, because it is not JSON, not `OpenAPI`,
/// or has nothing to change. `client` is the address that the client used.
pub(super) fn rewritten(
    document: &[u8],
    upstream: OriginRef<'_>,
    client: &ClientAddress,
    changes: &DocumentChanges,
) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let values = DocumentValues::of(text)
        .ok()
        .filter(|values| values.is_openapi)?;
    let edits = values.edits(upstream, client, changes);
    (!edits.is_empty()).then(|| apply_edits(text, edits))
}

/// The values that may change, as slices of the text.
struct DocumentValues<'t> {
    text: &'t str,
    is_openapi: bool,
    /// `OpenAPI` 3: every `servers` of the document, of path items and of operations, and `server` of links.
    urls: Vec<&'t str>,
    /// Swagger 2.
    host: Option<&'t str>,
    /// Swagger 2: of the document and of operations.
    schemes: Vec<&'t str>,
    security: SecurityValues<'t>,
    /// The object that describes the API.
    info: Option<&'t str>,
    /// `components.pathItems`, of which only a reference says who sends the requests.
    shared_items: Option<&'t str>,
    /// What webhooks and callbacks refer to, and what `paths` do.
    references_of_api: Vec<String>,
    references: Vec<String>,
}

impl<'t> DocumentValues<'t> {
    fn of(text: &'t str) -> serde_json::Result<Self> {
        let mut values = Self {
            text,
            is_openapi: false,
            urls: Vec::new(),
            host: None,
            schemes: Vec::new(),
            security: SecurityValues::default(),
            info: None,
            shared_items: None,
            references_of_api: Vec::new(),
            references: Vec::new(),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        DocumentVisitor {
            kind: NodeKind::Document,
            is_sent_by_api: false,
            values: &mut values,
        }
        .deserialize(&mut json)?;
        json.end()?;
        values.visit_shared_items()?;
        Ok(values)
    }

    /// Visits the path items in `components`, once it is known who refers to them.
    fn visit_shared_items(&mut self) -> serde_json::Result<()> {
        let Some(raw) = self.shared_items else {
            return Ok(());
        };
        // A value of an unexpected type is skipped.
        let items = serde_json::from_str::<BTreeMap<String, &'t RawValue>>(raw);
        for (name, item) in items.unwrap_or_default() {
            let name = name.replace('~', "~0").replace('/', "~1");
            let uri = format!("#/components/pathItems/{name}");
            let is_sent_by_api =
                self.references_of_api.contains(&uri) && !self.references.contains(&uri);
            DocumentVisitor {
                kind: NodeKind::PathItem,
                is_sent_by_api,
                values: self,
            }
            .deserialize(&mut serde_json::Deserializer::from_str(item.get()))?;
        }
        Ok(())
    }

    fn edits(
        &self,
        upstream: OriginRef<'_>,
        client: &ClientAddress,
        changes: &DocumentChanges,
    ) -> Vec<TextEdit> {
        let mut edits = self.server_edits(upstream, client);
        edits.extend(self.host_edits(upstream, client));
        if changes.removes_security {
            edits.extend(security_edits(self.text, &self.security, changes));
        }
        if changes.has_note {
            edits.extend(self.note_edit());
        }
        edits
    }

    /// The note at the end of the description, or as the description.
    fn note_edit(&self) -> Option<TextEdit> {
        let info = self.info?;
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(info).ok()?;
        if let Some(description) = members.get("description") {
            let text: String = serde_json::from_str(description.get()).ok()?;
            return self.edit(description.get(), &format!("{text}\n\n{NOTE}"));
        }
        let brace = &info[..1];
        let comma = if members.is_empty() { "" } else { "," };
        let new = format!("{{\"description\":\"{NOTE}\"{comma}");
        Some(TextEdit::replace(self.text, brace, new))
    }

    fn server_edits(&self, upstream: OriginRef<'_>, client: &ClientAddress) -> Vec<TextEdit> {
        let new_url = |raw: &&'t str| {
            let url: String = serde_json::from_str(raw).ok()?;
            let rest = &url[upstream.prefix_of(url.as_bytes())?..];
            let (scheme, authority) = (client.scheme.prefix(), &client.authority);
            self.edit(raw, &format!("{scheme}{authority}{rest}"))
        };
        self.urls.iter().filter_map(new_url).collect()
    }

    /// A missing `host` means the host that served the document, which for its reader is this proxy. `schemes` beside
    /// it still have the scheme of the upstream.
    fn host_edits(&self, upstream: OriginRef<'_>, client: &ClientAddress) -> Vec<TextEdit> {
        let host: Option<String> = self.host.and_then(|raw| serde_json::from_str(raw).ok());
        let names_upstream = host
            .as_ref()
            .is_none_or(|host| upstream.has_authority(host.as_bytes()));
        if !names_upstream || self.host.is_some() && host.is_none() {
            return Vec::new();
        }
        let new_host = self.host.and_then(|raw| self.edit(raw, &client.authority));
        let own = [client.scheme.name()];
        let new_schemes = self.schemes.iter().filter_map(|raw| {
            let schemes: Vec<String> = serde_json::from_str(raw).ok()?;
            let includes = |scheme: &str| schemes.iter().any(|one| one == scheme);
            let changes = includes(upstream.scheme()) && schemes != own;
            changes.then(|| self.edit(raw, &own))?
        });
        new_host.into_iter().chain(new_schemes).collect()
    }

    fn edit(&self, raw: &str, new: &impl serde::Serialize) -> Option<TextEdit> {
        let new = serde_json::to_string(new).ok()?;
        Some(TextEdit::replace(self.text, raw, new))
    }
}

/// The position of a value in the structure of the document.
#[derive(Debug, Clone, Copy)]
enum NodeKind {
    Document,
    Version,
    Info,
    Host,
    Schemes,
    Servers,
    Server,
    Url,
    Security,
    SecuritySchemes,
    /// The same in Swagger 2.
    SecurityDefinitions,
    Components,
    /// An object whose members are path items, whatever their keys: `paths` or a callback.
    PathItems,
    /// The same in `components`.
    SharedItems,
    Webhooks,
    PathItem,
    /// What stands in the place of a path item.
    Reference,
    /// An object whose members are operations.
    Operations,
    Operation,
    /// An object whose members are callbacks.
    Callbacks,
    /// An object whose members are responses.
    Responses,
    Response,
    /// An object whose members are links.
    Links,
    Link,
}

impl NodeKind {
    /// What the member `key` of an object is, unless it can contain no server.
    fn member(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Document, "openapi" | "swagger") => Some(Self::Version),
            (Self::Document, "info") => Some(Self::Info),
            (Self::Document, "host") => Some(Self::Host),
            (Self::Document | Self::Operation, "security") => Some(Self::Security),
            (Self::Document, "securityDefinitions") => Some(Self::SecurityDefinitions),
            (Self::Components, "securitySchemes") => Some(Self::SecuritySchemes),
            (Self::Document, "paths") | (Self::Callbacks, _) => Some(Self::PathItems),
            (Self::Components, "pathItems") => Some(Self::SharedItems),
            (Self::PathItem, "$ref") => Some(Self::Reference),
            (Self::Document, "webhooks") => Some(Self::Webhooks),
            (Self::Document, "components") => Some(Self::Components),
            (Self::Document | Self::Operation, "schemes") => Some(Self::Schemes),
            (Self::Document | Self::PathItem | Self::Operation, "servers") => Some(Self::Servers),
            (Self::Link, "server") => Some(Self::Server),
            (Self::Server, "url") => Some(Self::Url),
            (Self::PathItems | Self::Webhooks, _) => Some(Self::PathItem),
            (
                Self::PathItem,
                "get" | "put" | "post" | "delete" | "options" | "head" | "patch" | "trace"
                | "query",
            )
            | (Self::Operations, _) => Some(Self::Operation),
            (Self::PathItem, "additionalOperations") => Some(Self::Operations),
            (Self::Operation | Self::Components, "callbacks") => Some(Self::Callbacks),
            (Self::Operation | Self::Components, "responses") => Some(Self::Responses),
            (Self::Responses, _) => Some(Self::Response),
            (Self::Response | Self::Components, "links") => Some(Self::Links),
            (Self::Links, _) => Some(Self::Link),
            _ => None,
        }
    }

    /// What the elements of an array are.
    const fn element(self) -> Option<Self> {
        match self {
            Self::Servers => Some(Self::Server),
            _ => None,
        }
    }
}

/// Visits one value. A value of an unexpected type is skipped.
struct DocumentVisitor<'f, 't> {
    kind: NodeKind,
    /// Whether it describes requests that the API itself sends: webhooks and callbacks.
    is_sent_by_api: bool,
    values: &'f mut DocumentValues<'t>,
}

impl<'t> DocumentVisitor<'_, 't> {
    fn child(&mut self, kind: NodeKind) -> DocumentVisitor<'_, 't> {
        let is_sent_by_api = matches!(kind, NodeKind::Webhooks | NodeKind::Callbacks);
        DocumentVisitor {
            kind,
            is_sent_by_api: is_sent_by_api || self.is_sent_by_api,
            values: self.values,
        }
    }
}

impl<'t> DeserializeSeed<'t> for DocumentVisitor<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, value: D) -> Result<(), D::Error> {
        match self.kind {
            NodeKind::Url => self
                .values
                .urls
                .push(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Info => self.values.info = Some(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Security => {
                let requirement = <&RawValue>::deserialize(value)?.get();
                let security = &mut self.values.security;
                if self.is_sent_by_api {
                    security.requirements_of_api.push(requirement);
                } else {
                    security.requirements.push(requirement);
                }
            }
            NodeKind::SecuritySchemes => {
                self.values.security.schemes = Some(<&RawValue>::deserialize(value)?.get());
            }
            NodeKind::SecurityDefinitions => {
                self.values.security.schemes = Some(<&RawValue>::deserialize(value)?.get());
                self.values.security.is_swagger_2 = true;
            }
            NodeKind::SharedItems => {
                self.values.shared_items = Some(<&RawValue>::deserialize(value)?.get());
            }
            NodeKind::Reference => {
                let reference = <&RawValue>::deserialize(value)?.get();
                let uri = serde_json::from_str(reference).ok();
                if self.is_sent_by_api {
                    self.values.references_of_api.extend::<Option<String>>(uri);
                } else {
                    self.values.references.extend::<Option<String>>(uri);
                }
            }
            NodeKind::Host => self.values.host = Some(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Schemes => self
                .values
                .schemes
                .push(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Version => {
                IgnoredAny::deserialize(value)?;
                self.values.is_openapi = true;
            }
            NodeKind::Document
            | NodeKind::Servers
            | NodeKind::Server
            | NodeKind::Components
            | NodeKind::PathItems
            | NodeKind::Webhooks
            | NodeKind::PathItem
            | NodeKind::Operations
            | NodeKind::Operation
            | NodeKind::Callbacks
            | NodeKind::Responses
            | NodeKind::Response
            | NodeKind::Links
            | NodeKind::Link => {
                value.deserialize_any(self)?;
            }
        }
        Ok(())
    }
}

impl<'t> Visitor<'t> for DocumentVisitor<'_, 't> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_key_seed(MemberSeed(self.kind))? {
            match member {
                Some(kind) => members.next_value_seed(self.child(kind))?,
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut elements: A) -> Result<(), A::Error> {
        match self.kind.element() {
            Some(kind) => while elements.next_element_seed(self.child(kind))?.is_some() {},
            None => while elements.next_element::<IgnoredAny>()?.is_some() {},
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a key of an object as what the member is.
struct MemberSeed(NodeKind);

impl<'t> DeserializeSeed<'t> for MemberSeed {
    type Value = Option<NodeKind>;

    fn deserialize<D: Deserializer<'t>>(self, key: D) -> Result<Option<NodeKind>, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberSeed {
    type Value = Option<NodeKind>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<NodeKind>, E> {
        Ok(self.0.member(key))
    }
}

#[cfg(test)]
mod tests;
