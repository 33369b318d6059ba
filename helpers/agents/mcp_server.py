"""A workplace as an MCP server over standard input and output: any MCP client gets the same tools as our own agent.

    python -m helpers.agents.mcp_server counter [state.sqlite]

The Model Context Protocol is how agents of many makers find tools. The policy goes along as the server's instructions.
"""

import json
import sys

from helpers.agents import calls
from helpers.worlds.base import ERROR


def server(world):
    """The MCP server of a world (package `mcp`); what a tool refuses comes back marked as an error."""
    import mcp_types as types
    from mcp.server import Server

    tools = [
        types.Tool(name=f["name"], description=f["description"], input_schema=f["parameters"])
        for f in (tool["function"] for tool in calls.schemas(world))
    ]

    async def list_tools(context, params):
        return types.ListToolsResult(tools=tools)

    async def call_tool(context, params):
        result = world.call(params.name, params.arguments or {})
        text = types.TextContent(type="text", text=json.dumps(result, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=result, is_error=ERROR in result)

    return Server(world.NAME, instructions=world.policy(), on_list_tools=list_tools, on_call_tool=call_tool)


def main(arguments=None):
    """Serve a workplace until the client closes the connection."""
    import anyio
    from mcp.server.stdio import stdio_server

    from helpers import worlds

    name, *path = sys.argv[1:] if arguments is None else arguments
    made = server(worlds.load(name)(*path))

    async def serve():
        async with stdio_server() as (read, write):
            await made.run(read, write, made.create_initialization_options())

    anyio.run(serve)


if __name__ == "__main__":
    main()
