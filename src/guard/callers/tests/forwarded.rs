//! Callers whose own `Authorization` is forwarded.

use super::*;

#[test]
fn while_authorization_is_forwarded_a_key_counts_only_in_its_own_field() {
    let guard = keeping_authorization();
    let (own, theirs) = (("x-cupbearer-key", CI), ("authorization", "Bearer theirs"));
    for fields in [&[own][..], &[own, theirs], &[own, theirs, theirs]] {
        assert_eq!(who(&guard, "GET", "/", fields, &someone()), "ci");
    }
    let rejection = guard
        .check(&request("GET", "/", &[OURS, theirs]), &someone())
        .unwrap_err();
    assert_eq!(rejection.reason, Reason::CallerUnknown);
    assert_eq!(
        rejection.detail,
        "Only the callers in guard.callers are admitted: send a key as X-Cupbearer-Key."
    );
}

#[test]
fn while_authorization_is_forwarded_a_rejection_names_the_caller_and_asks_for_its_own_field() {
    let guard = keeping_authorization();
    let (own, bearer) = (("x-cupbearer-key", CI), format!("Bearer {CI}"));
    for (fields, caller) in [
        (&[OURS, own, ("authorization", &bearer)][..], Some("ci")),
        (&[OURS, ("authorization", &bearer)], None),
    ] {
        let rejection = guard.check(&request("GET", "/", fields), &someone());
        let rejection = rejection.unwrap_err();
        let name = rejection.caller.as_ref().map(CallerName::as_str);
        assert_eq!((rejection.reason, name), (Reason::CallerUnknown, caller));
        let id = crate::problem::RequestId::of(&http::HeaderMap::new());
        let response = rejection.problem(&id).response();
        let challenge = &response.headers()["www-authenticate"];
        assert_eq!(challenge, "X-Cupbearer-Key realm=\"cupbearer\"");
    }
}

#[test]
fn while_authorization_is_forwarded_no_key_may_be_in_it() {
    let bearer = format!("Bearer {CI}");
    // x:the-key-of-ci-0001, and cbk_0:x
    let (basic, made) = ("Basic eDp0aGUta2V5LW9mLWNpLTAwMDE=", "Basic Y2JrXzA6eA==");
    // the-key-of-ci-0001:
    let user = "BASIC  dGhlLWtleS1vZi1jaS0wMDAxOg==";
    let percent = "Bearer %74he-key-of-ci-0001";
    let open = Guard::new(&config::GuardConfig {
        keeps_authorization: true,
        ..config("")
    });
    for (guard, values) in [
        (
            keeping_authorization(),
            &[&*bearer, basic, user, percent, made, "Bearer cbk_0"][..],
        ),
        (open, &[made, "Bearer cbk_0"]),
    ] {
        for value in values {
            for others in [&[][..], &[("authorization", "Bearer theirs")]] {
                let own = [OURS, ("x-cupbearer-key", CI), ("authorization", value)];
                let head = request("GET", "/", &[&own[..], others].concat());
                let rejection = guard.check(&head, &someone()).unwrap_err();
                assert_eq!(rejection.reason, Reason::CallerUnknown, "{value}");
                assert!(
                    rejection.detail.contains("send the key as X-Cupbearer-Key"),
                    "{}",
                    rejection.detail
                );
            }
        }
    }
}

#[test]
fn a_forwarded_authorization_does_not_log_in_the_connection() {
    let guard = keeping_authorization();
    for value in [
        "NTLM TlRMTVNTUAAB",
        "ntlm",
        "Negotiate YIIB",
        " nEGOTIATE\tYIIB",
    ] {
        let fields = [OURS, ("x-cupbearer-key", CI), ("authorization", value)];
        let rejection = guard
            .check(&request("GET", "/", &fields), &someone())
            .unwrap_err();
        assert_eq!(rejection.reason, Reason::BadRequest, "{value}");
        assert!(rejection.detail.contains("NTLM"), "{}", rejection.detail);
    }
    let key = ("x-cupbearer-key", CI);
    for value in ["NTLMv2 x", "Digest negotiate"] {
        let fields = [key, ("authorization", value)];
        assert_eq!(who(&guard, "GET", "/", &fields, &someone()), "ci");
    }
}
