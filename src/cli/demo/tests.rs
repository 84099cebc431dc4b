use super::*;

#[test]
fn a_client_is_sent_to_a_name_and_with_the_scheme_that_the_proxy_accepts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let text = "upstream.url = \"https://api.example.com\"\ntoken.source = { file = \"/t\" }\n";
    let tls = "tls.cert_file = \"/c\"\ntls.key_file = \"/k\"\n";
    let open = "guard.network = \"open\"\n";
    for (more, expected) in [
        ("listen = \"localhost:1\"\n", Some("http://localhost:1")),
        ("listen = \"127.0.0.1:1\"\n", Some("http://127.0.0.1:1")),
        ("listen = \"0.0.0.0:1\"\n", Some("http://localhost:1")),
        ("listen = \"[::]:1\"\n", Some("http://localhost:1")),
        ("listen = \"unix:/s\"\n", None),
    ] {
        for tls in [expected.map(|_| tls), None] {
            std::fs::write(
                &file,
                format!("{more}{open}{}{text}", tls.unwrap_or_default()),
            )
            .unwrap();
            let overrides = Overrides {
                file: Some(file.clone()),
                ..Overrides::default()
            };
            let loaded = crate::config::load(&overrides, &Surroundings::default());
            let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
            let found = base_url(&loaded.config);
            let found = found.map(|url| match tls {
                Some(_) => url.replace("https:", "http:"),
                None => url,
            });
            assert_eq!(found.as_deref(), expected, "{more} {tls:?}");
            if tls.is_some() && expected.is_some() {
                assert!(base_url(&loaded.config).unwrap().starts_with("https:"));
            }
        }
    }
}
