use super::start_url;

#[test]
fn only_an_address_on_this_machine_is_opened() {
    assert!(start_url("http://127.0.0.1:6753/start/x").is_some());
    assert!(start_url("http://localhost:6753/start/x").is_some());
    for other in [
        "https://127.0.0.1:6753/start/x",
        "http://evil.example.com/start/x",
        "file:///etc/passwd",
        "http://127.0.0.1.evil.example.com/",
        "--help",
    ] {
        assert!(start_url(other).is_none(), "{other}");
    }
}
