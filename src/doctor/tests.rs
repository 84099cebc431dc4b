use super::*;

#[test]
fn the_page_on_the_doctor_lists_every_check_by_number_and_id() {
    let page = include_str!("../../docs/doctor.md");
    for (index, name) in NAMES.iter().enumerate() {
        let row = format!("| {} | `{}` |", index + 1, name.id);
        assert!(page.contains(&row), "{row}");
    }
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" | `"));
    assert_eq!(
        rows.filter(|row| row.as_bytes()[2].is_ascii_digit())
            .count(),
        NAMES.len()
    );
}
