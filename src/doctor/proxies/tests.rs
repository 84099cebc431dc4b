use super::*;
use crate::doctor::finding::Outcome;

fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
    let pair = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
    Surroundings {
        variables: variables.iter().map(pair).collect(),
        ..Surroundings::default()
    }
}

#[test]
fn a_proxy_for_plain_http_is_noted_unless_no_proxy_exempts_the_listener() {
    let v4 = Listen::Tcp("127.0.0.1:1".parse().unwrap());
    for (variables, listen, outcome) in [
        (&[][..], Listen::Localhost(1), Outcome::Ok),
        (&[("HTTPS_PROXY", "x")], Listen::Localhost(1), Outcome::Ok),
        (&[("http_proxy", "x")], Listen::Localhost(1), Outcome::Note),
        (&[("ALL_PROXY", "x")], Listen::Localhost(1), Outcome::Note),
        (
            &[("http_proxy", "x"), ("NO_PROXY", "a.example, .LOCALHOST")],
            Listen::Localhost(1),
            Outcome::Ok,
        ),
        (
            &[("http_proxy", "x"), ("no_proxy", "*")],
            Listen::Localhost(1),
            Outcome::Ok,
        ),
        // Which of the two variables a program uses differs.
        (
            &[
                ("http_proxy", "x"),
                ("no_proxy", "localhost"),
                ("NO_PROXY", "a.example"),
            ],
            Listen::Localhost(1),
            Outcome::Note,
        ),
        (
            &[("http_proxy", "x"), ("NO_PROXY", "localhost")],
            v4.clone(),
            Outcome::Note,
        ),
        (
            &[("http_proxy", "x"), ("NO_PROXY", "127.0.0.0/8")],
            v4,
            Outcome::Ok,
        ),
        (
            &[("http_proxy", "x")],
            Listen::Tcp("0.0.0.0:1".parse().unwrap()),
            Outcome::Skipped,
        ),
    ] {
        let finding = no_proxy(&surroundings(variables), &listen);
        assert_eq!(
            finding.outcome, outcome,
            "{variables:?}: {}",
            finding.message
        );
    }
}

#[tokio::test]
async fn a_pac_file_is_noted_if_a_connection_is_direct() {
    let with = surroundings(&[("auto_proxy", "http://pac.example/proxy.pac")]);
    let finding = routes(&with, None, None).await;
    assert_eq!(finding.outcome, Outcome::Note);
    assert!(
        finding.message.contains("PAC file (auto_proxy)"),
        "{}",
        finding.message
    );
}
