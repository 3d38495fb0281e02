/* Looks a name up as applications do and says how it ended: found, none, again;
   with a second argument, the addresses instead of found. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints, *list;
	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	if (argc != 2 && argc != 3)
		return 2;
	int code = getaddrinfo(argv[1], NULL, &hints, &list);
	if (code == 0 && argc == 3) {
		for (; list; list = list->ai_next) {
			char text[INET6_ADDRSTRLEN];
			void *address = &((struct sockaddr_in *)list->ai_addr)->sin_addr;
			if (list->ai_family == AF_INET6)
				address = &((struct sockaddr_in6 *)list->ai_addr)->sin6_addr;
			puts(inet_ntop(list->ai_family, address, text, sizeof text));
		}
	} else if (code == 0)
		puts("found");
	else if (code == EAI_AGAIN)
		puts("again");
	else
		puts("none");
	return 0;
}
