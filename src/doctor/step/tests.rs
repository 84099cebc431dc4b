use super::*;

#[test]
fn the_guide_has_every_step_under_its_number_and_tab() {
    let guide = include_str!("../../../docs/setup-pingone.md");
    for step in [
        Step::Connected,
        Step::Attributes,
        Step::Scopes,
        Step::Application,
        Step::Configuration,
        Step::Resources,
        Step::Toggle,
    ] {
        let number = step.number();
        let heading = format!("<a id=\"step-{number}\"></a>");
        let (_, section) = guide.split_once(&heading).expect(&heading);
        let section = section.split("<a id=").next().unwrap();
        let place = format!("\nIn the console: {}.\n", step.tab());
        assert!(section.contains(&place), "{number}: {place}");
        assert_eq!(step.guide(), format!("docs/setup-pingone.md#step-{number}"));
    }
}
