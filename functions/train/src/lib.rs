//! Train: plans a run, freezes what it learns from, and has it trained.
