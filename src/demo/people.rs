//! The people who can sign in to the demo. None has a password: whoever reaches the page chooses who to be.

/// Someone with roles at the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Person {
    /// The claim `sub`, and the value of the button.
    pub(super) subject: &'static str,
    /// The claim `name`.
    pub(super) name: &'static str,
    /// What the roles allow, in words.
    pub(super) may: &'static str,
    /// The only member of the claim `groups`.
    pub(super) role: &'static str,
}

const PEOPLE: [Person; 2] = [
    Person {
        subject: "ada",
        name: "Ada Admin",
        may: "may read and change everything",
        role: "dev-tls-admin",
    },
    Person {
        subject: "otto",
        name: "Otto Auditor",
        may: "may only read",
        role: "dev-tls-audit",
    },
];

/// The person whose button was pressed.
pub(super) fn person(subject: &str) -> Option<Person> {
    PEOPLE.into_iter().find(|person| person.subject == subject)
}

/// A button for each person, for a form.
pub(super) fn buttons() -> String {
    let button = |person: Person| {
        let Person {
            subject, name, may, ..
        } = person;
        format!(
            "<p><button name=\"person\" value=\"{subject}\">Sign in as {name}</button> {may}</p>\n"
        )
    };
    PEOPLE.map(button).concat()
}
