//! Which steps there are, and which there are not.

use std::fs;

use fmc_provision::plan::step::{Effect, Step};

use crate::{apply_until_nothing_is_left, lab, plan_of, same, shown, with_image};

#[test]
fn what_was_applied_has_nothing_left_to_do() {
    let mut places = with_image();
    let new = lab("new", same);
    apply_until_nothing_is_left(&new, &mut places);
    assert_eq!(shown(&plan_of(&new, &mut places, &[])), Vec::<String>::new());
}

#[test]
fn a_file_that_somebody_changed_is_written_again_and_read_again() {
    let mut places = with_image();
    let new = lab("new", same);
    apply_until_nothing_is_left(&new, &mut places);
    let path = places.root("lb1").join("etc/fmc-lb/fmc-lb.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("192.168.0.33", "192.168.0.99")).unwrap();
    let plan = plan_of(&new, &mut places, &[]);
    assert_eq!(
        shown(&plan),
        [
            "lb1: write /etc/fmc-lb/fmc-lb.toml",
            "lb1: systemctl try-reload-or-restart fmc-lb.service",
            "lb1: wait: lb1: its balancer answers"
        ]
    );
    let lines: Vec<_> = plan.steps[0].why.iter().map(|line| format!("{}{}", line.sign.mark(), line.text)).collect();
    assert!(lines.iter().any(|line| line.starts_with('-') && line.contains("192.168.0.99")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with('+') && line.contains("192.168.0.33")), "{lines:?}");
}

#[test]
fn one_balancer_is_worked_on_and_looked_at_before_the_other_and_the_preferred_one_last() {
    let mut places = with_image();
    apply_until_nothing_is_left(&lab("old", same), &mut places);
    let plan = plan_of(&lab("new", same), &mut places, &[]);
    let at = |wanted: &str| {
        let found = plan.steps.iter().position(|step| step.object == wanted);
        found.unwrap_or_else(|| panic!("no {wanted} in {:#?}", shown(&plan)))
    };
    assert!(at("hypervisor:after:restart-lb2") < at("healthy:lb2"));
    assert!(at("healthy:lb2") < at("hypervisor:after:restart-lb1"), "{:#?}", shown(&plan));
}

#[test]
fn what_may_cut_off_is_guarded_until_contact_is_made_anew() {
    let mut places = with_image();
    let plan = plan_of(&lab("new", same), &mut places, &[]);
    let names: Vec<_> = plan.steps.iter().map(|step| step.object.as_str()).collect();
    let at = |wanted: &str| {
        names.iter().position(|name| *name == wanted).unwrap_or_else(|| panic!("no {wanted}: {names:#?}"))
    };
    for (guard, guarded) in [
        ("network", "hypervisor:/etc/NetworkManager/system-connections/br0.nmconnection"),
        ("network", "hypervisor:after:connection-br0"),
        ("firewall", "hypervisor:firewall"),
        ("firewall", "hypervisor:fmc-lab-firewall.service"),
    ] {
        assert!(at(&format!("arm:hypervisor:{guard}")) < at(guarded), "{guarded}");
        assert!(at(guarded) < at(&format!("confirm:hypervisor:{guard}")), "{guarded}");
    }
}

#[test]
fn a_smaller_disk_is_refused_until_its_name_is_given() {
    let mut places = with_image();
    apply_until_nothing_is_left(&lab("new", same), &mut places);
    let smaller = lab("new", |text| text.replacen("disk = \"10GiB\"", "disk = \"9GiB\"", 1));
    let plan = plan_of(&smaller, &mut places, &[]);
    assert_eq!(plan.refused, ["volume:lb1.qcow2"]);
    let plan = plan_of(&smaller, &mut places, &["volume:lb1.qcow2"]);
    assert!(plan.refused.is_empty());
    assert!(plan.steps.iter().any(|step| matches!(step.effect, Effect::Destroys(_))), "{:#?}", shown(&plan));
}

#[test]
fn a_larger_disk_grows_and_destroys_nothing() {
    let mut places = with_image();
    apply_until_nothing_is_left(&lab("new", same), &mut places);
    let plan = plan_of(&lab("new", |text| text.replacen("disk = \"10GiB\"", "disk = \"11GiB\"", 1)), &mut places, &[]);
    let volume: Vec<&Step> = plan.steps.iter().filter(|step| step.object.starts_with("volume:")).collect();
    let [step] = &volume[..] else { panic!("{:#?}", shown(&plan)) };
    assert_eq!(step.effect, Effect::Quiet);
    assert_eq!(step.why[0].text, "capacity: 10737418240 bytes -> 11811160064 bytes");
}

#[test]
fn a_machine_that_left_the_inventory_stays_until_its_name_is_given() {
    let mut places = with_image();
    apply_until_nothing_is_left(&lab("new", same), &mut places);
    let fewer = lab("new", |text| {
        let (before, rest) = text.split_once("[machines.lb2]").unwrap();
        let (_, after) = rest.split_once("[machines.worker]").unwrap();
        format!("{before}[machines.worker]{after}")
    });
    let plan = plan_of(&fewer, &mut places, &[]);
    assert!(!plan.steps.iter().any(|step| step.object == "domain:lb2"), "{:#?}", shown(&plan));
    assert!(plan.notes.iter().any(|note| note.contains("--allow-destroy domain:lb2")), "{:?}", plan.notes);
    let plan = plan_of(&fewer, &mut places, &["domain:lb2"]);
    assert!(shown(&plan).contains(&"hypervisor: remove domain lb2".to_owned()), "{:#?}", shown(&plan));
}

#[test]
fn a_file_that_only_half_arrives_takes_nobodys_place() {
    use fmc_provision::apply::Shell;
    use fmc_provision::plan::step::Act;
    let mut places = with_image();
    let plan = plan_of(&lab("new", same), &mut places, &[]);
    let step = plan.steps.iter().find(|step| step.object.ends_with("60-fmc-lab.conf")).expect("a file");
    let Act::Run { script, stdin } = &step.act else { panic!("{step:?}") };
    let said = places.run("hypervisor", script, &stdin[..stdin.len() / 2], std::time::Duration::from_secs(5)).unwrap();
    assert_ne!(said.code, 0);
    assert!(said.err.contains("not all of it arrived"), "{said:?}");
    assert!(!places.root("hypervisor").join("etc/sysctl.d/60-fmc-lab.conf").exists());
}
