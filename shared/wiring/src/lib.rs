//! Wiring: reads infra/template.yaml as far as it can be executed, and refuses the rest by name.
