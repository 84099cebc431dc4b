use super::*;

#[test]
fn the_code_comes_with_a_warning_and_nothing_of_a_server_steers_the_terminal() {
    let code = DeviceCode {
        verification_url: "https://as.example.com/device\u{1b}[2J".to_owned(),
        complete_url: Some("https://as.example.com/device?user_code=WDJB-MJHT".to_owned()),
        user_code: "WDJB-MJHT\u{7}\u{202e}".to_owned(),
        expires_in_s: 600,
    };
    let text = prompt(&code);
    assert!(
        text.contains("only if you have just asked for it"),
        "{text}"
    );
    assert!(text.contains("  WDJB-MJHT\n"), "{text}");
    assert!(text.contains("only if it shows the same code"), "{text}");
    assert!(text.contains("10m"), "{text}");
    let steers =
        |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
    assert!(!text.contains(steers), "{text:?}");
    let alone = DeviceCode {
        complete_url: None,
        ..code
    };
    assert!(!prompt(&alone).contains("same code"));
}
