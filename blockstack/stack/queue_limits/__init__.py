"""Queue limits: rules per kernel, a stack's tree, hints and config keys."""
