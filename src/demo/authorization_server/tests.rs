use super::*;
use crate::credentials::Secret;
use crate::demo::{AuthMethod, Resource};

fn application(resources: &[(&str, &[&str])]) -> Application {
    let resource = |(audience, scopes): &(&str, &[&str])| Resource {
        audience: (*audience).to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    Application {
        resources: resources.iter().map(resource).collect(),
        ..Application::with_secret(Secret::new("s"), AuthMethod::Basic)
    }
}

#[test]
fn scopes_are_granted_for_one_resource_only() {
    let two = application(&[("a", &["read", "write"]), ("b", &["list"])]);
    let one = application(&[("a", &["read", "write"])]);
    let ok = |audience: &str, scope: &str| Ok((audience.to_owned(), scope.to_owned()));
    for (application, asked, expected) in [
        (&one, None, ok("a", "read write")),
        (&one, Some("write misspelt"), ok("a", "write")),
        (&one, Some("misspelt"), Err(TokenError::NoScope)),
        (&two, None, Err(TokenError::SeveralResources)),
        (&two, Some("list"), ok("b", "list")),
        (&two, Some("list read"), Err(TokenError::SeveralResources)),
        (&application(&[]), None, Err(TokenError::NoScope)),
        (&application(&[("a", &[])]), None, Err(TokenError::NoScope)),
    ] {
        assert_eq!(granted(application, asked), expected, "{asked:?}");
    }
}
