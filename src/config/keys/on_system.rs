//! Texts of the table and of `--help`, as they are true on the user's system.

/// Folders that only Unix has. A path in them stands for a file of the user's.
const UNIX_FOLDERS: [&str; 4] = [
    "/var/run/secrets/",
    "/run/secrets/",
    "/etc/cupbearer/",
    "/etc/ssl/",
];
const ELSEWHERE: &str = "C:/cupbearer/";

/// What `listen` can also be on Unix.
const UNIX_SOCKET: &str = "; on Unix also \"unix:/run/cupbearer/api.sock\"";

/// The text for a user of Unix, or of another system.
pub(crate) fn on_system(text: &str, is_unix: bool) -> String {
    if is_unix {
        return text.to_owned();
    }
    let mut text = text.replace(UNIX_SOCKET, "");
    for folder in UNIX_FOLDERS {
        text = text.replace(folder, ELSEWHERE);
    }
    text
}
