//! The site file compiler from outside: the demo, the built-in files, and what a broken file is answered.

use davy::config::{Extras, Source, compile};

fn demo() -> Source {
    let path = "config/demo.toml";
    Source::from_bytes(path, &std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_demo_compiles_without_errors() {
    match compile(&demo(), &Extras::default()) {
        Ok(compiled) => println!("{}", compiled.warnings.render(false)),
        Err(faults) => panic!("{}", faults.render(false)),
    }
}
