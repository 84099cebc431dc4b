//! The live page. It contains no data, so that following a link from another page to it reveals nothing: its script
//! reads the event stream, which no page of another origin may do.

use super::page_files::{CSS, HTML, PageFiles, SCRIPT, SVG};

pub(super) const PAGE: PageFiles = PageFiles(&[
    ("/", HTML, include_str!("page/index.html")),
    ("/page/style.css", CSS, include_str!("page/style.css")),
    ("/page/main.js", SCRIPT, include_str!("page/main.js")),
    ("/page/state.js", SCRIPT, include_str!("page/state.js")),
    ("/page/stream.js", SCRIPT, include_str!("page/stream.js")),
    ("/page/words.js", SCRIPT, include_str!("page/words.js")),
    ("/page/element.js", SCRIPT, include_str!("page/element.js")),
    (
        "/page/overview.js",
        SCRIPT,
        include_str!("page/overview.js"),
    ),
    (
        "/page/problems.js",
        SCRIPT,
        include_str!("page/problems.js"),
    ),
    ("/page/token.js", SCRIPT, include_str!("page/token.js")),
    ("/page/plots.js", SCRIPT, include_str!("page/plots.js")),
    ("/page/table.js", SCRIPT, include_str!("page/table.js")),
    ("/page/details.js", SCRIPT, include_str!("page/details.js")),
    ("/page/doctor.js", SCRIPT, include_str!("page/doctor.js")),
    ("/page/export.js", SCRIPT, include_str!("page/export.js")),
    (
        "/page/keyboard.js",
        SCRIPT,
        include_str!("page/keyboard.js"),
    ),
    ("/page/good.svg", SVG, include_str!("page/good.svg")),
    ("/page/warning.svg", SVG, include_str!("page/warning.svg")),
    ("/page/error.svg", SVG, include_str!("page/error.svg")),
]);

#[cfg(test)]
mod tests {
    use super::PAGE;

    #[test]
    fn the_whole_page_is_below_150_kb() {
        let bytes: usize = PAGE.0.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes < 150_000, "{bytes}");
    }
}
