"""Write C functions of many shapes, the same for the same seed."""

import random
import sys

HEAD = """int sink(int, ...); void use(void *); __attribute__((noreturn)) void never(void);
struct pair { int a[6]; };
struct pair two(int);
"""


def expression(rng: random.Random, names: list[str]) -> str:
    """A call or some arithmetic over the names in scope."""
    count = rng.choice([0, 1, 2, 3, 5, 8, 12])
    arguments = ", ".join(rng.choice([*names, "1", "77"]) for _ in range(count + 1))
    return rng.choice(
        [
            f"sink({arguments})",
            f"{rng.choice(names)} * 3 + sink({arguments})",
            f"h({rng.choice(names)}, {rng.choice(names)})",
            f"two({rng.choice(names)}).a[{rng.randrange(6)}]",
        ]
    )


def statement(rng: random.Random, names: list[str], depth: int) -> str:
    """One statement, perhaps with others inside."""
    kind = rng.randrange(9 if depth < 3 else 3)
    inner = (
        " ".join(statement(rng, names, depth + 1) for _ in range(rng.randrange(1, 4)))
        if (kind >= 3)
        else ""
    )
    name, value = rng.choice(names), expression(rng, names)
    if kind <= 1:
        return f"{name} = {value};"
    if kind == 2:
        return f"if ({name} == {rng.randrange(99)}) return {value};"
    if kind <= 4:
        return f"if ({value} > {rng.randrange(9)}) {{ {inner} }} else {name} += {value};"
    if kind == 5:
        return f"while ({name}-- > 0) {{ {inner} }}"
    if kind == 6:
        size = rng.choice([8, 20, 64, 300])
        return f"{{ char t[{size}]; use(t); {name} += t[3]; {inner} }}"
    if kind == 7:
        cases = " ".join(f"case {i}: {name} = {expression(rng, names)}; break;" for i in range(7))
        return f"switch ({name}) {{ {cases} default: {inner} }}"
    return f"if ({name} < -{rng.randrange(1, 9)}) never(); {inner}"


def functions(count: int, seed: int) -> str:
    """A C file with ``count`` functions."""
    rng = random.Random(seed)
    text = [HEAD]
    for i in range(count):
        names = [f"p{k}" for k in range(rng.randrange(1, 9))]
        body = " ".join(statement(rng, names, 0) for _ in range(rng.randrange(1, 6)))
        text.append(
            f"int g{i}(int (*h)(int, int), {', '.join('int ' + n for n in names)})\n"
            f"{{ {body} return {expression(rng, names)}; }}\n"
        )
    return "".join(text)


if __name__ == "__main__":
    print(functions(int(sys.argv[1]), int(sys.argv[2])))
