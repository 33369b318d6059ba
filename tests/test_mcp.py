"""Each workplace as an MCP server, tried with the official client over stdio."""

import json
import sys

import anyio
import pytest

from helpers import worlds
from helpers.bootstrap import ROOT


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_the_official_client_finds_and_calls_the_same_tools(name, tmp_path):
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    world, path = worlds.load(name), tmp_path / "state.sqlite"
    server = StdioServerParameters(command=sys.executable, args=["-m", "helpers.agents.mcp_server", name, str(path)], cwd=ROOT)

    async def talk():
        with anyio.fail_after(120):
            async with Client(stdio_client(server)) as client:
                tools = (await client.list_tools()).tools
                refused = await client.call_tool(world.TOOLS[0], {"no_such": "argument"})
                done = await client.call_tool(*world.REFUSAL)
                return tools, refused, done

    tools, refused, done = anyio.run(talk)
    assert [tool.name for tool in tools] == list(world.TOOLS) and all(tool.description for tool in tools)
    assert refused.is_error and "no_such" in refused.content[0].text
    assert not done.is_error and json.loads(done.content[0].text) == done.structured_content
    left = world(path=str(path))
    assert left.state() != world().state()  # what the client did is in the file
