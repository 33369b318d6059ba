"""Agents at work. The mortgage desk of notebook 11: `backends`, `reading`, `desk`. Agents with tools: `loop`, who answers in it
(`chat`, `menu`), how calls are written (`calls`), the scripted `person`, the same as MCP server and as application; and what
keeps them in bounds and on record: `guard`, `permissions`, `traces`, `audit`."""
