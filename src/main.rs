//! The `davy` program.

fn main() -> std::process::ExitCode {
    davy::app::main()
}
