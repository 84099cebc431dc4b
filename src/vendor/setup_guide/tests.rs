use super::*;

#[test]
fn the_setup_guide_has_a_section_for_every_step_with_its_tab() {
    let guide = include_str!("../../../docs/setup-pingone.md");
    for step in [
        SetupStep::Connected,
        SetupStep::Attributes,
        SetupStep::Scopes,
        SetupStep::Application,
        SetupStep::Configuration,
        SetupStep::Resources,
        SetupStep::Toggle,
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
