use super::*;

#[test]
fn the_two_commands_differ_only_in_the_address() {
    assert_eq!(
        curl("http://127.0.0.1:6752"),
        "curl -i --noproxy 127.0.0.1 http://127.0.0.1:6752/api/v1/certificates"
    );
    assert_eq!(
        curl("http://localhost:6749/"),
        "curl -i --noproxy localhost http://localhost:6749/api/v1/certificates"
    );
}
